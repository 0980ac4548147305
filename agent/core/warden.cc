#include "agent/core/warden.h"

#include <algorithm>
#include <utility>

#include "agent/core/limits.h"
#include "agent/core/link_framer.h"
#include "agent/core/results.h"
#include "common/base/little_endian.h"
#include "common/base/utf8.h"
#include "common/sign/envelope.h"

namespace holdfast::agent {
namespace {

using link::CloseReason;
namespace v1 = ::holdfast::command::v1;

// Tombstones are looked through for old ones once per this many that were made.
constexpr std::uint32_t kPurgeEvery = 256;

std::uint16_t ReadU16(std::string_view bytes) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) |
                                    static_cast<unsigned char>(bytes[1]) << 8);
}

HangUp ParseClose(std::string_view payload) {
  if (payload.size() < 2) return {CloseReason::CLOSE_REASON_PEER_GONE, ""};
  const int number = ReadU16(payload);
  const auto reason = ::holdfast::link::v1::CloseReason_IsValid(number)
                          ? static_cast<CloseReason>(number)
                          : CloseReason::CLOSE_REASON_UNSPECIFIED;
  return {reason, std::string(payload.substr(2, link::kMaxDetailBytes))};
}

JournalCommand RowOf(const sign::VerifiedCommand& verified,
                     const ::holdfast::link::v1::Deliver& deliver) {
  JournalCommand row;
  row.digest = verified.digest;
  row.command_id = verified.command_id;
  row.not_after = WallTime(verified.command.not_after_ms());
  row.envelope = deliver.envelope();
  row.cert_envelope = deliver.cert_envelope();
  return row;
}

// Control has stored more of this stream than was ever made here.
bool IsBehind(const AnswerStream& stream, const ::holdfast::link::v1::Ack& ack) {
  if (ack.complete()) return false;
  const std::uint32_t attempt = stream.key().attempt;
  return ack.attempt() > attempt ||
         (ack.attempt() == attempt && ack.next_seq() > stream.sender().recorded());
}

// What a verified command proves of the time: it is not earlier than it was issued. No further than
// this clock: a signer whose clock is ahead must not make the commands of the others expire.
WallTime FloorOf(const v1::Command& command, Moment at) {
  return WallTime(std::min(command.issued_at_ms(), at.wall.get()));
}

}  // namespace

Warden::Warden(const Parts& parts, Identity identity, std::string link_config)
    : parts_(parts),
      identity_(std::move(identity)),
      link_config_(std::move(link_config)),
      greeting_(parts_, identity_),
      admission_(parts_, identity_, table_),
      isolation_(parts_.fence, parts_.isolation, log_),
      updates_(parts_.crypto, parts_.trust, parts_.updates, log_),
      running_(parts_, identity_, table_, isolation_, updates_, log_),
      outbox_(table_) {}

// --- link process --------------------------------------------------------------------------------

void Warden::OnLinkStarted() {
  has_link_ = true;
  told_busy_ = false;
  told_closed_ = false;
  queued_.clear();
  Queue(LinkMessageType::kConfig, link_config_);
}

void Warden::OnLinkStopped(std::string_view why) {
  has_link_ = false;
  queued_.clear();
  updates_.OnLinkClosed();
  greeting_.OnClosed();
  outbox_.OnLinkDown();
  log_.Add(LogLine(LogLevel::kWarn, "link_process_ended").Text("why", std::string(why)));
}

void Warden::OnLinkMessage(LinkMessageType type, std::string_view payload, Moment at) {
  switch (type) {
    case LinkMessageType::kOpened:
      close_said_ = false;
      outbox_.OnLinkDown();
      isolation_.OnLinkOpened();
      return greeting_.OnOpened(payload.substr(0, 255), at.now);
    case LinkMessageType::kFromServer: return OnFrames(payload, at);
    case LinkMessageType::kClosed: {
      updates_.OnLinkClosed();
      greeting_.OnClosed();
      outbox_.OnLinkDown();
      if (!close_said_) last_close_ = ParseClose(payload);
      close_said_ = false;
      log_.Add(LogLine(LogLevel::kInfo, "link_closed")
                   .Id("reason", link::ToString(last_close_->reason))
                   .Text("detail", Untrusted(last_close_->detail)));
      return;
    }
    default:
      log_.Add(LogLine(LogLevel::kWarn, "link_process_odd").Num("type", static_cast<int>(type)));
  }
}

void Warden::OnFrames(std::string_view bytes, Moment at) {
  if (greeting_.phase() == Greeting::Phase::kDown) return;  // hung up; what is still on its way
  auto message = link::DecodeMessage(bytes, link::Direction::kDown);
  if (!message.ok()) {
    return CloseLink({link::CloseReasonFor(message.error()), message.error().message});
  }
  if (greeting_.is_open() && message.value().epoch() != greeting_.epoch()) return;
  for (const link::Frame& frame : message.value().frames()) {
    if (!OnFrame(frame, at)) return;
  }
}

// False: the link was hung up.
bool Warden::OnFrame(const link::Frame& frame, Moment at) {
  switch (frame.body_case()) {
    case link::Frame::kChallenge: {
      auto answer = greeting_.OnChallenge(frame.challenge());
      LookAfterReserve(at.now);
      if (auto* hang_up = std::get_if<HangUp>(&answer)) {
        CloseLink(*hang_up);
        return false;
      }
      link::LinkMessage hello;
      *hello.add_frames() = std::get<link::Frame>(std::move(answer));
      Queue(LinkMessageType::kToServer, link::EncodeMessage(hello));
      return true;
    }
    case link::Frame::kWelcome: OnWelcome(frame.welcome(), at); return greeting_.is_open();
    case link::Frame::kClose:
      last_close_ = HangUp{frame.close().reason(), frame.close().detail()};
      close_said_ = true;
      return true;
    case link::Frame::kBeat:
    case link::Frame::kGoaway: return true;  // the link process acts on them
    default: break;
  }
  if (!greeting_.is_open()) {
    CloseLink({CloseReason::CLOSE_REASON_UNEXPECTED_FRAME, "a frame before the welcome"});
    return false;
  }
  switch (frame.body_case()) {
    case link::Frame::kDeliver: OnDeliver(frame.deliver(), at); return true;
    case link::Frame::kAck: OnAck(frame.ack(), at); return true;
    case link::Frame::kBlobData: OnBlobData(frame.blob_data(), at); return true;
    case link::Frame::kPtyInput: running_.OnPtyInput(frame.pty_input()); return true;
    default:
      CloseLink({CloseReason::CLOSE_REASON_UNEXPECTED_FRAME, "a frame that only goes up"});
      return false;
  }
}

void Warden::OnWelcome(const ::holdfast::link::v1::Welcome& welcome, Moment at) {
  const Nonce16 incarnation = parts_.journal.meta().incarnation;
  const auto hang_up = greeting_.OnWelcome(welcome, at);
  if (parts_.journal.meta().incarnation != incarnation) DropEverything(at);
  if (hang_up) return CloseLink(*hang_up);
  std::string beats;
  AppendLittle(beats, welcome.beat_idle_s(), 4);
  AppendLittle(beats, welcome.beat_busy_s(), 4);
  Queue(LinkMessageType::kWelcomed, beats);
  outbox_.OnLinkUp(at.now);
  log_.Add(LogLine(LogLevel::kInfo, "link_open")
               .Num("epoch", static_cast<std::int64_t>(greeting_.epoch())));
  LookAfterReserve(at.now);
  isolation_.OnWelcome(at);
  updates_.OnWelcome(at);
  running_.TakeVerdicts(at);
  running_.OnTick(at);
}

// The incarnation they belong to has ended, and control has ended them with it.
void Warden::DropEverything(Moment at) {
  log_.Add(LogLine(LogLevel::kError, "journal_reverted")
               .Num("dropped", static_cast<std::int64_t>(table_.size()))
               .Id("incarnation", parts_.journal.meta().incarnation.hex()));
  for (const auto& command : table_) {
    if (command->worker) parts_.workers.Kill(*command->worker);
    isolation_.Withdraw(command->digest, at);
    updates_.Withdraw(command->digest);
    parts_.spool.BlobRemove(command->digest);
    parts_.spool.Remove(command->stream->key());
  }
  table_.clear();
}

void Warden::LookAfterReserve(TimePoint now) {
  if (parts_.spool.room() == Spool::Room::kEnough) parts_.reserve.Keep();
  reserve_look_at_.reset();
  if (!parts_.reserve.is_kept()) reserve_look_at_ = now + kReserveRetry;
}

void Warden::CloseLink(const HangUp& why) {
  std::string payload;
  AppendLittle(payload, static_cast<std::uint32_t>(why.reason), 2);
  payload.append(Utf8Prefix(why.detail, link::kMaxDetailBytes));
  Queue(LinkMessageType::kHangUp, payload);
  updates_.OnLinkClosed();
  greeting_.OnClosed();
  outbox_.OnLinkDown();
  // That we stop is not why the server turned us away before.
  if (!last_close_ || why.reason != CloseReason::CLOSE_REASON_AGENT_STOPPING) last_close_ = why;
  close_said_ = true;
  log_.Add(LogLine(LogLevel::kWarn, "hanging_up")
               .Id("reason", link::ToString(why.reason))
               .Text("detail", Untrusted(why.detail)));
}

void Warden::Stop() {
  if (has_link_) CloseLink({CloseReason::CLOSE_REASON_AGENT_STOPPING, ""});
  if (auto stored = parts_.journal.StopCleanly(); !stored.ok()) {
    log_.Add(LogLine(LogLevel::kWarn, "journal_refuses").Err(stored.error()));
  }
}

// --- commands ------------------------------------------------------------------------------------

void Warden::OnDeliver(const ::holdfast::link::v1::Deliver& deliver, Moment at) {
  auto verdict = admission_.Check(deliver.envelope(), deliver.cert_envelope(), at);
  if (const auto* dropped = std::get_if<Admission::Dropped>(&verdict)) {
    if (dropped->forged) {
      log_.Add(LogLine(LogLevel::kWarn, "delivery_forged")
                   .Id("digest", dropped->forged->hex())
                   .Text("why", std::string(dropped->why))
                   .Num("count", static_cast<std::int64_t>(admission_.forged())));
      return;
    }
    log_.Add(LogLine(LogLevel::kDebug, "delivery_dropped").Text("why", std::string(dropped->why)));
  } else if (const auto* refused = std::get_if<Admission::Refused>(&verdict)) {
    Refuse(*refused, deliver, at);
  } else {
    Admit(std::get<Admission::Admitted>(std::move(verdict)).command, deliver, at);
  }
}

void Warden::Admit(sign::VerifiedCommand verified, const ::holdfast::link::v1::Deliver& deliver,
                   Moment at) {
  JournalCommand row = RowOf(verified, deliver);
  row.received_at = at.wall;
  const bool is_begun = running_.BeginsAtOnce(verified.command);
  if (is_begun) {
    row.state = CommandState::kStarted;
    row.started_at = at.wall;
  }
  const auto inserted = parts_.journal.Insert(row, FloorOf(verified.command, at));
  if (!inserted.ok()) {
    log_.Add(LogLine(LogLevel::kError, "journal_refuses").Err(inserted.error()));
    if (inserted.error().code == Code::kInternal) return;  // in doubt; control will ask again
    return Refuse({verified.digest, v1::COMMAND_FAILURE_NO_JOURNAL, inserted.error().message, {}},
                  deliver, at);
  }
  OpenCommand& command = AddToTable(verified.digest, 1, at);
  auto envelope = sign::ParseEnvelope(deliver.envelope(), sign::kCommandType);
  HF_CHECK(envelope.ok());  // the chain has parsed these bytes
  TakeFacts(command, verified.command, std::move(*envelope.value().mutable_payload()));
  command.is_begun = is_begun;
  HF_CHECK(command.stream->AddReceived(at.wall).ok());
  log_.Add(LogLine(LogLevel::kInfo, "command_received")
               .Id("digest", verified.digest.hex())
               .Text("verb", verified.verb)
               .Text("operator", Untrusted(verified.operator_id)));
  running_.Accept(command, verified.command, at);
}

void Warden::Refuse(const Admission::Refused& refused, const ::holdfast::link::v1::Deliver& deliver,
                    Moment at) {
  if (!MakeRoomForRefusal()) return;  // control will ask again
  bool is_journaled = false;
  if (refused.command) {
    const auto inserted = parts_.journal.Insert(RowOf(*refused.command, deliver),
                                                FloorOf(refused.command->command, at));
    is_journaled = inserted.ok();
  }
  if (!is_journaled) admission_.Remember(refused);
  OpenCommand& command = AddToTable(refused.digest, 1, at);
  command.is_refusal = true;
  command.is_journaled = is_journaled;
  if (!is_journaled) command.give_up_at = at.now + kRefusalKeep;
  const auto outcome =
      refused.failure == v1::COMMAND_FAILURE_EXPIRED ? v1::OUTCOME_EXPIRED : v1::OUTCOME_REFUSED;
  running_.End(command, {outcome, refused.failure, refused.message}, at);
}

// Below the bound, or by letting the oldest refusal go that is not in the journal.
bool Warden::MakeRoomForRefusal() {
  const auto refusals = std::count_if(table_.begin(), table_.end(),
                                      [](const auto& command) { return command->is_refusal; });
  if (static_cast<std::size_t>(refusals) < kMaxOpenRefusals) return true;
  const auto oldest = std::find_if(table_.begin(), table_.end(), [](const auto& command) {
    return command->is_refusal && !command->is_journaled;
  });
  if (oldest == table_.end()) return false;
  table_.erase(oldest);
  return true;
}

void Warden::OnAck(const ::holdfast::link::v1::Ack& ack, Moment at) {
  const auto digest = Digest::From(ack.digest());
  // There is none after it to begin with: honest servers are never there (link::kMaxAttempt).
  if (!digest || ack.attempt() >= link::kMaxAttempt) return;
  OpenCommand* command = FindCommand(table_, *digest);
  if (command == nullptr) return OnAckOfUnknown(*digest, ack, at);
  const bool awaited_ack = std::exchange(command->awaits_ack, false);
  if (awaited_ack && IsBehind(*command->stream, ack)) {
    return running_.LosePlace(*command, ack.attempt(), at);
  }
  if (ack.complete() && !command->stream->has_final()) {  // control has ended it without us
    const bool has_not_begun = command->phase == OpenCommand::Phase::kQueued ||
                               command->phase == OpenCommand::Phase::kFetching;
    if (!has_not_begun) return running_.StopUnheard(*command);
    parts_.spool.BlobRemove(*digest);
    return Forget(*digest, at);
  }
  if (awaited_ack) running_.OnTick(at);
  const std::uint64_t before = command->stream->sender().delivered_cost();
  if (auto taken = command->stream->OnAck(ack, at.now); !taken.ok()) {
    log_.Add(
        LogLine(LogLevel::kWarn, "ack_refused").Id("digest", digest->hex()).Err(taken.error()));
    return;
  }
  outbox_.OnAcked(command->stream->sender().delivered_cost() - before, at.now);
  if (command->stream->sender().complete()) return Forget(*digest, at);
  // Started was the last that was recorded.
  const auto& sender = command->stream->sender();
  if (command->phase == OpenCommand::Phase::kJudging && sender.acked() == sender.recorded()) {
    isolation_.OnAcknowledged(*digest, at);
    running_.TakeVerdicts(at);
  }
}

// Control has a receipt for a command that was never here.
void Warden::OnAckOfUnknown(const Digest& digest, const ::holdfast::link::v1::Ack& ack, Moment at) {
  if (ack.complete() || ack.next_seq() == 0 || ack.attempt() == 0) return;
  const auto known = parts_.journal.Find(digest);
  if (!known.ok() || known.value()) return;
  if (!MakeRoomForRefusal()) return;
  log_.Add(LogLine(LogLevel::kError, "journal_set_back").Id("digest", digest.hex()));
  admission_.Remember({digest, v1::COMMAND_FAILURE_JOURNAL_LOST, {}, {}});
  OpenCommand& command = AddToTable(digest, ack.attempt(), at);
  command.is_refusal = true;
  command.is_journaled = false;
  command.give_up_at = at.now + kRefusalKeep;
  running_.LosePlace(command, ack.attempt(), at);
}

void Warden::OnBlobData(const ::holdfast::link::v1::BlobData& data, Moment at) {
  const auto digest = Digest::From(data.digest());
  OpenCommand* command = digest ? FindCommand(table_, *digest) : nullptr;
  if (command == nullptr || !command->blob) return;
  command->blob->OnData(data, at.now);
  running_.OnBlob(*command, at);
}

// If the tombstone cannot be written now, the row stays, and the next start asks control again.
void Warden::Forget(const Digest& digest, Moment at) {
  const auto found = std::find_if(table_.begin(), table_.end(),
                                  [&](const auto& command) { return command->digest == digest; });
  HF_CHECK(found != table_.end());
  if ((*found)->is_journaled) {
    if (auto stored = parts_.journal.SetForgotten(digest); !stored.ok()) {
      log_.Add(LogLine(LogLevel::kError, "journal_refuses").Err(stored.error()));
    }
    if (++forgotten_ % kPurgeEvery == 0) {
      // By signed time, not by a clock that may be ahead: a tombstone dropped early lets a command run
      // twice once the clock is right again.
      static_cast<void>(parts_.journal.Purge(parts_.journal.meta().time_floor).ok());
    }
  }
  parts_.spool.Remove((*found)->stream->key());
  table_.erase(found);
  running_.OnTick(at);
}

OpenCommand& Warden::AddToTable(const Digest& digest, std::uint32_t attempt, Moment at) {
  auto command = std::make_unique<OpenCommand>();
  command->digest = digest;
  command->stream = std::make_unique<AnswerStream>(StreamKey{digest, attempt}, parts_.spool);
  if (greeting_.is_open()) command->stream->OnLinkUp(at.now);
  table_.push_back(std::move(command));
  return *table_.back();
}

// --- workers, clock, outputs ---------------------------------------------------------------------

void Warden::OnWorkerMessage(WorkerId id, WorkerMessageType type, std::string_view payload,
                             Moment at) {
  running_.OnWorkerMessage(id, type, payload, at);
}

void Warden::OnWorkerBroken(WorkerId id, const Error& why) { running_.OnWorkerBroken(id, why); }

void Warden::OnWorkerGone(WorkerId id, const WorkerEnd& end, Moment at) {
  running_.OnWorkerGone(id, end, at);
}

void Warden::OnTick(Moment at) {
  if (const auto deadline = greeting_.NextDeadline(); deadline && at.now >= *deadline) {
    CloseLink({CloseReason::CLOSE_REASON_HANDSHAKE_TIMEOUT, ""});
  }
  std::erase_if(table_, [&](const auto& command) {
    return command->give_up_at && at.now >= *command->give_up_at;
  });
  outbox_.OnTick(at.now);
  isolation_.OnTick(at);
  updates_.OnTick(at);
  running_.OnTick(at);
  running_.TakeVerdicts(at);
  if (reserve_look_at_ && at.now >= *reserve_look_at_) LookAfterReserve(at.now);
}

void Warden::Queue(LinkMessageType type, std::string_view payload) {
  if (has_link_) AppendLinkMessage(queued_, type, payload);
}

void Warden::TellBusy() {
  const bool is_busy = !table_.empty();
  if (!has_link_ || is_busy == told_busy_) return;
  told_busy_ = is_busy;
  Queue(LinkMessageType::kBusy, std::string(1, is_busy ? '\1' : '\0'));
}

void Warden::TellClosed() {
  if (!has_link_ || isolation_.is_closed() == told_closed_) return;
  told_closed_ = !told_closed_;
  Queue(LinkMessageType::kClosedIn, std::string(1, told_closed_ ? '\1' : '\0'));
}

bool Warden::NextLinkBytes(std::string& out, Moment at) {
  TellBusy();
  TellClosed();
  if (!queued_.empty()) {
    out = std::exchange(queued_, {});
    return true;
  }
  if (!has_link_) return false;
  std::optional<Outbox::Lost> lost;
  const bool is_filled = outbox_.Fill(at.now, lost);
  if (is_filled) {
    const std::size_t size = outbox_.message().ByteSizeLong();
    out = LinkMessageHeader(LinkMessageType::kToServer, size);
    const std::size_t header = out.size();
    out.resize(header + size);
    outbox_.message().SerializeWithCachedSizesToArray(
        reinterpret_cast<std::uint8_t*>(&out[header]));
  }
  if (lost) {
    if (OpenCommand* command = FindCommand(table_, lost->digest)) {
      running_.LoseOutput(*command, lost->why, at);
    }
    if (!is_filled) return NextLinkBytes(out, at);
  }
  return is_filled;
}

std::optional<TimePoint> Warden::NextDeadline() const {
  std::optional<TimePoint> soonest = greeting_.NextDeadline();
  for (const auto& other : {outbox_.NextDeadline(), running_.NextDeadline(),
                            isolation_.NextDeadline(), updates_.NextDeadline(), reserve_look_at_}) {
    if (other && (!soonest || *other < *soonest)) soonest = other;
  }
  return soonest;
}

}  // namespace holdfast::agent
