#include "agent/core/outbox.h"

#include <algorithm>
#include <memory>

namespace holdfast::agent {
namespace {

// A terminal has at most its window under way, and somebody looks at it.
bool IsSmall(const OpenCommand& command) {
  return command.is_pty || command.stream->is_interactive();
}

bool HasUnsent(const std::unique_ptr<OpenCommand>& command) {
  return command->stream->sender().has_unsent();
}

bool IsLargeAndUnsent(const std::unique_ptr<OpenCommand>& command) {
  return !IsSmall(*command) && HasUnsent(command);
}

}  // namespace

void Outbox::OnLinkUp(TimePoint now) {
  is_up_ = true;
  path_.OnLinkUp();
  for (const auto& command : table_) {
    command->stream->OnLinkUp(now);
    if (command->blob) command->blob->OnLinkUp();
  }
}

void Outbox::OnLinkDown() {
  is_up_ = false;
  path_.OnLinkDown();
  large_.OnLinkDown();
  for (const auto& command : table_) {
    command->stream->OnLinkDown();
    if (command->blob) command->blob->OnLinkDown();
  }
}

void Outbox::OnTick(TimePoint now) {
  for (const auto& command : table_) {
    if (command->stream->sender().OnTick(now)) path_.OnTimeout();
    if (command->blob) command->blob->OnTick(now);
  }
  Pace(now);
}

// What the path can take, to all who number and wait.
void Outbox::Pace(TimePoint now) {
  in_flight_ = 0;
  for (const auto& command : table_) in_flight_ += command->stream->sender().in_flight_cost();
  const AnswerStream::Pace pace{path_.chunk_bytes(), path_.read_ahead_bytes()};
  const Duration patience = path_.patience(in_flight_);
  for (const auto& command : table_) {
    command->stream->set_pace(pace);
    command->stream->sender().set_ack_timeout(patience);
  }
  large_.OnTurn(path_.rate(), now);
}

bool Outbox::Fill(TimePoint now, std::optional<Lost>& lost) {
  lost.reset();
  message_.Clear();  // keeps the chunk's buffer
  message_bytes_ = 0;
  Pace(now);
  if (!is_up_) return false;
  AddSyncs(now);
  AddBlobRequests(now);
  const std::uint64_t before = in_flight_;
  AddRecords(now, true, lost);
  if (!lost) AddRecords(now, false, lost);
  if (in_flight_ > before) {
    // What waits for the large lane's rate says nothing of what the path carries.
    const bool has_more = large_.HasRoom() && std::any_of(table_.begin(), table_.end(), HasUnsent);
    path_.OnSent({in_flight_ - before, in_flight_, has_more}, now);
  }
  return message_.frames_size() > 0;
}

void Outbox::AddSyncs(TimePoint now) {
  ::holdfast::link::v1::Sync* sync = nullptr;
  for (const auto& command : table_) {
    if (!command->stream->sender().wants_sync()) continue;
    if (sync == nullptr) sync = message_.add_frames()->mutable_sync();
    if (sync->streams_size() >= link::kMaxSyncStreams) return;
    command->stream->sender().NextSync(now);
    auto* ref = sync->add_streams();
    ref->set_digest(command->digest.str());
    ref->set_attempt(command->stream->key().attempt);
  }
}

void Outbox::AddBlobRequests(TimePoint now) {
  for (const auto& command : table_) {
    if (!command->blob) continue;
    while (message_.frames_size() < link::kMaxFramesPerMessage) {
      auto request = command->blob->NextRequest(now);
      if (!request) break;
      *message_.add_frames()->mutable_blob_request() = std::move(*request);
    }
  }
}

bool Outbox::HasRoom(const link::StreamSender& sender, bool interactive) const {
  const std::uint64_t cost = sender.next_cost();
  if (!interactive && !large_.HasRoom()) return false;
  return in_flight_ == 0 || in_flight_ + cost <= path_.window_bytes() ||
         (interactive && sender.in_flight_cost() + cost <= kSmallBytes);
}

void Outbox::AddRecords(TimePoint now, bool interactive, std::optional<Lost>& lost) {
  const std::size_t join_bytes = std::min(kJoinBytes, path_.chunk_bytes());
  std::size_t idle = 0;  // commands in a row that had nothing
  bool passes = false;
  while (idle < table_.size() && message_.frames_size() < link::kMaxFramesPerMessage &&
         message_bytes_ < join_bytes) {
    next_ = next_ + 1 < table_.size() ? next_ + 1 : 0;
    OpenCommand& command = *table_[next_];
    ++idle;
    // Behind what was lost there is nothing that control could use; its end comes as a new attempt.
    if (command.output_lost && !command.stream->has_final()) continue;
    if (IsSmall(command) != interactive) continue;
    link::StreamSender& sender = command.stream->sender();
    if (!sender.has_record() || !HasRoom(sender, interactive)) continue;
    const std::uint64_t cost = sender.next_cost();
    in_flight_ += cost;
    const auto seq = sender.NextRecord(now);
    idle = 0;
    auto& up = *message_.add_frames()->mutable_up();
    if (auto filled = command.stream->Fill(*seq, up); !filled.ok()) {
      message_.mutable_frames()->RemoveLast();
      lost = Lost{command.digest, filled.error()};
      break;
    }
    if (!interactive) large_.OnSent(cost);
    passes = passes || command.is_pty || (interactive && up.has_final());
    message_bytes_ += up.chunk().data().size() + up.final().envelope().size();
  }
  if (passes && std::any_of(table_.begin(), table_.end(), IsLargeAndUnsent)) {
    large_.OnSmallAnswer(now);
  }
}

std::optional<TimePoint> Outbox::NextDeadline() const {
  std::optional<TimePoint> soonest;
  const auto consider = [&](const std::optional<TimePoint>& at) {
    if (at && (!soonest || *at < *soonest)) soonest = at;
  };
  if (is_up_) consider(large_.NextDeadline());
  for (const auto& command : table_) {
    consider(command->stream->sender().NextDeadline());
    if (command->blob) consider(command->blob->NextDeadline());
  }
  return soonest;
}

}  // namespace holdfast::agent
