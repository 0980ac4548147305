#include "agent/core/outbox.h"

namespace holdfast::agent {

void Outbox::OnLinkUp(TimePoint now) {
  is_up_ = true;
  for (const auto& command : table_) {
    command->stream->OnLinkUp(now);
    if (command->blob) command->blob->OnLinkUp();
  }
}

void Outbox::OnLinkDown() {
  is_up_ = false;
  for (const auto& command : table_) {
    command->stream->OnLinkDown();
    if (command->blob) command->blob->OnLinkDown();
  }
}

void Outbox::OnTick(TimePoint now) {
  for (const auto& command : table_) {
    command->stream->sender().OnTick(now);
    if (command->blob) command->blob->OnTick(now);
  }
}

bool Outbox::has_frames() const {
  if (!is_up_) return false;
  for (const auto& command : table_) {
    const link::StreamSender& sender = command->stream->sender();
    if (sender.wants_sync() || sender.has_record()) return true;
    if (command->blob && command->blob->has_request()) return true;
  }
  return false;
}

bool Outbox::Fill(TimePoint now, std::optional<Lost>& lost) {
  lost.reset();
  message_.Clear();  // keeps the chunk's buffer
  message_bytes_ = 0;
  if (!is_up_) return false;
  AddSyncs(now);
  AddBlobRequests(now);
  AddRecords(now, true, lost);
  if (!lost) AddRecords(now, false, lost);
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

void Outbox::AddRecords(TimePoint now, bool interactive, std::optional<Lost>& lost) {
  std::size_t idle = 0;  // commands in a row that had nothing
  while (idle < table_.size() && message_.frames_size() < link::kMaxFramesPerMessage &&
         message_bytes_ < kJoinBytes) {
    next_ = next_ + 1 < table_.size() ? next_ + 1 : 0;
    OpenCommand& command = *table_[next_];
    ++idle;
    // Behind what was lost there is nothing that control could use; its end comes as a new attempt.
    if (command.output_lost && !command.stream->has_final()) continue;
    if (command.stream->is_interactive() != interactive) continue;
    const auto seq = command.stream->sender().NextRecord(now);
    if (!seq) continue;
    idle = 0;
    auto& up = *message_.add_frames()->mutable_up();
    if (auto filled = command.stream->Fill(*seq, up); !filled.ok()) {
      message_.mutable_frames()->RemoveLast();
      lost = Lost{command.digest, filled.error()};
      return;
    }
    message_bytes_ += up.chunk().data().size() + up.final().envelope().size();
  }
}

std::optional<TimePoint> Outbox::NextDeadline() const {
  std::optional<TimePoint> soonest;
  const auto consider = [&](const std::optional<TimePoint>& at) {
    if (at && (!soonest || *at < *soonest)) soonest = at;
  };
  for (const auto& command : table_) {
    consider(command->stream->sender().NextDeadline());
    if (command->blob) consider(command->blob->NextDeadline());
  }
  return soonest;
}

}  // namespace holdfast::agent
