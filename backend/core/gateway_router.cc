#include "backend/core/gateway_router.h"

#include <algorithm>
#include <utility>

#include "backend/core/gateway_hello.h"

namespace holdfast::backend {
namespace {

namespace pb = ::holdfast::link::v1;

// WebSocket close codes (docs/protocol.md section 3).
constexpr std::uint16_t kNormalClosure = 1000;

// The whole table is looked at once in this many seconds: a silent link goes that much later at most.
constexpr std::size_t kSweepSeconds = 2;

// One Claim in a redial storm must not meet the next: spread over this many seconds.
constexpr std::uint32_t kRetryLeastSeconds = 2;
constexpr std::uint32_t kRetrySpreadSeconds = 9;

}  // namespace

GatewayRouter::GatewayRouter(Options options, Ports ports)
    : options_(std::move(options)),
      crypto_(ports.crypto),
      port_(ports.links),
      counters_(ports.counters),
      batch_(options_.instance) {
  HF_CHECK(!options_.server_names.empty());
}

void GatewayRouter::OnTime(TimePoint now, WallTime wall) {
  if (start_ == TimePoint{}) start_ = now;
  now_ = now;
  wall_ = wall;
  now_s_ = seconds(now - start_);
}

std::uint32_t GatewayRouter::seconds(Duration duration) const {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

void GatewayRouter::OnTurnEnd() { FlushBatch(); }

void GatewayRouter::OnSecond() {
  CheckGreetings();
  CheckSilence();
  CheckDrain();
  if (now_ >= up_at_) SendUp();
}

void GatewayRouter::OnAccepted() {
  ++sockets_;
  counters_.Add(Counter::kHandshakes);
}

void GatewayRouter::OnSocketClosed(link::CloseReason reason) {
  --sockets_;
  counters_.Sub(Counter::kHandshakes);
  CountClosed(reason);
}

void GatewayRouter::CountClosed(link::CloseReason reason) {
  const auto base = static_cast<std::size_t>(Counter::kClosedBase);
  const auto slot = std::min<std::size_t>(static_cast<std::size_t>(reason), kCloseReasonSlots - 1);
  counters_.Add(static_cast<Counter>(base + slot));
}

GatewayLink& GatewayRouter::OnOpened(void* transport, std::string peer_address,
                                     std::string_view host) {
  auto owned = std::make_unique<GatewayLink>();
  GatewayLink& link = *owned;
  link.transport = transport;
  link.ref = next_ref_++;
  link.heard_s = now_s_;
  link.slot = static_cast<std::uint32_t>(table_.size());
  table_.push_back(std::move(owned));
  greetings_.emplace(link.ref, &link);

  // The name that the agent dialled, if it is one of ours; it compares what we say with that.
  const auto& names = options_.server_names;
  const auto dialled = std::find(names.begin(), names.end(), host);
  link.greeting = std::make_unique<GatewayLink::Greeting>();
  link.greeting->challenge = crypto_.RandomBytes<Nonce32>();
  link.greeting->server_name = dialled == names.end() ? names.front() : *dialled;
  link.greeting->peer_address = std::move(peer_address);
  port_.SetMaxMessageBytes(transport, link::kMaxGreetingBytes);
  if (drain_by_ && now_ >= *drain_by_) {
    Close(link, pb::CLOSE_REASON_GOING_AWAY);
    return link;
  }
  link::Frame frame;
  pb::Challenge& challenge = *frame.mutable_challenge();
  challenge.set_protocol_version(link::kProtocolVersion);
  challenge.set_nonce(link.greeting->challenge.str());
  challenge.set_server_name(link.greeting->server_name);
  challenge.set_server_time_ms(wall_.get());
  QueueFrame(link, frame);
  return link;
}

void GatewayRouter::OnMessage(GatewayLink& link, std::string_view message) {
  counters_.Add(Counter::kMessagesUp);
  counters_.Add(Counter::kBytesUp, message.size());
  link.heard_s = now_s_;
  link.pinged = false;
  if (link.state == GatewayLink::State::kClosing) return;
  const auto decoded = link::DecodeMessage(message, link::Direction::kUp);
  if (!decoded.ok()) return Close(link, link::CloseReasonFor(decoded.error()));
  if (link.state == GatewayLink::State::kOpen) {
    OnOpenMessage(link, decoded.value(), message);
  } else {
    OnHello(link, decoded.value());
  }
}

void GatewayRouter::OnPong(GatewayLink& link) {
  // A greeting has its time from the upgrade or from Hello, whatever else its socket says.
  if (link.state != GatewayLink::State::kOpen) return;
  link.heard_s = now_s_;
  link.pinged = false;
}

void GatewayRouter::OnHello(GatewayLink& link, const link::LinkMessage& message) {
  if (message.frames_size() == 1 && message.frames(0).has_close()) {
    return Close(link, pb::CLOSE_REASON_AGENT_STOPPING);
  }
  if (link.state != GatewayLink::State::kGreeting || message.frames_size() != 1 ||
      !message.frames(0).has_hello()) {
    return Close(link, pb::CLOSE_REASON_UNEXPECTED_FRAME);
  }
  const std::string& envelope = message.frames(0).hello().envelope();
  GatewayLink::Greeting& greeting = *link.greeting;
  const auto proved =
      CheckHello(crypto_, envelope, {options_.fleet_id, greeting.challenge, greeting.server_name});
  if (!proved.ok()) {
    counters_.Add(Counter::kSignaturesRefused);
    return Close(link, pb::CLOSE_REASON_BAD_IDENTITY);
  }
  link.agent_id = proved.value().agent_id;
  link.epoch = proved.value().epoch;
  link.state = GatewayLink::State::kClaiming;
  greeting.hello_envelope = envelope;
  SendClaim(link);
}

void GatewayRouter::OnOpenMessage(GatewayLink& link, const link::LinkMessage& message,
                                  std::string_view bytes) {
  const auto slices = SliceFrames(bytes);
  // The codec took these bytes for as many frames; if the slices differ, somebody plays with encodings.
  if (!slices.ok() || slices.value().size() != static_cast<std::size_t>(message.frames_size())) {
    return Close(link, pb::CLOSE_REASON_BAD_FRAME);
  }
  for (int i = 0; i < message.frames_size(); ++i) {
    const link::Frame& frame = message.frames(i);
    switch (frame.body_case()) {
      case link::Frame::kBeat: {
        // The first one after a Deliver may have left before that arrived; the next one knows of it.
        if (frame.beat().idle()) link.busy = std::exchange(link.crossing, false);
        link::Frame answer;
        answer.mutable_beat()->set_server_time_ms(wall_.get());
        QueueFrame(link, answer);
        break;
      }
      case link::Frame::kUp:
      case link::Frame::kSync:
        // What it is about ends with an Ack, which goes down behind every Deliver so far.
        link.crossing = false;
        Forward(link, slices.value()[static_cast<std::size_t>(i)]);
        break;
      case link::Frame::kBlobRequest:
        MeterRequest(link, frame, slices.value()[static_cast<std::size_t>(i)]);
        break;
      case link::Frame::kClose: return Close(link, pb::CLOSE_REASON_AGENT_STOPPING);
      default: return Close(link, pb::CLOSE_REASON_UNEXPECTED_FRAME);
    }
  }
}

void GatewayRouter::Forward(GatewayLink& link, std::string_view frame) {
  BecomeBusy(link);
  if (batch_link_ != &link || !batch_.Fits(frame.size())) FlushBatch();
  batch_link_ = &link;
  batch_.Append(frame);
}

void GatewayRouter::MeterRequest(GatewayLink& link, const link::Frame& frame,
                                 std::string_view bytes) {
  const auto command = Digest::From(frame.blob_request().digest());
  if (!command) return;  // the codec has seen to it
  if (link.blobs == nullptr) link.blobs = std::make_unique<BlobMeter>();
  link.blobs->OnRequest({*command, frame.blob_request().offset(), frame.blob_request().length()},
                        bytes);
  PumpRequests(link);
}

void GatewayRouter::PumpRequests(GatewayLink& link) {
  if (link.blobs == nullptr) return;
  const std::size_t queued = link.outbox == nullptr ? 0 : link.outbox->blob_bytes();
  while (const auto frame = link.blobs->NextRequest(queued, now_s_)) Forward(link, *frame);
  if (link.blobs->empty()) link.blobs.reset();
}

std::optional<std::string> GatewayRouter::NextMessage(GatewayLink& link) {
  if (link.outbox == nullptr) return std::nullopt;
  std::string message;
  StartLinkMessage(message, link.welcomed ? link.epoch : 0);  // 0 before Welcome
  link.outbox->AppendTo(message);
  if (link.outbox->empty()) link.outbox.reset();
  PumpRequests(link);
  counters_.Add(Counter::kMessagesDown);
  counters_.Add(Counter::kBytesDown, message.size());
  return message;
}

void GatewayRouter::Close(GatewayLink& link, link::CloseReason reason,
                          std::uint32_t retry_after_s) {
  if (link.state == GatewayLink::State::kClosing) return;
  if (batch_link_ == &link) FlushBatch();  // with the epoch and id that it still has
  link.blobs.reset();
  link.outbox.reset();  // what waits is repeated by its sender; the reason must not wait behind it
  link::Frame frame;
  frame.mutable_close()->set_reason(reason);
  frame.mutable_close()->set_retry_after_s(retry_after_s);
  QueueFrame(link, frame);
  link.reason = reason;
  link.state = GatewayLink::State::kClosing;
  greetings_.erase(link.ref);
  Forget(link);
  port_.Close(link.transport, kNormalClosure, link::ToString(reason));
}

void GatewayRouter::OnClosed(GatewayLink& link, link::CloseReason reason) {
  if (batch_link_ == &link) FlushBatch();
  if (link.reason == pb::CLOSE_REASON_UNSPECIFIED) link.reason = reason;
  --sockets_;
  CountClosed(link.reason);
  counters_.Sub(link.welcomed ? Counter::kLinks : Counter::kHandshakes);
  // Also of one whose claim has no answer yet: that may be granted, and its answer be lost.
  const bool is_unanswered = link.greeting != nullptr && link.greeting->claimed;
  if (link.welcomed || is_unanswered) SendClosed(link.agent_id, link.epoch, link.reason);
  if (link.greeting != nullptr) port_.OnHandshakeDone(link.greeting->peer_address);
  greetings_.erase(link.ref);
  Forget(link);
  const std::uint32_t slot = link.slot;
  table_[slot].swap(table_.back());
  table_[slot]->slot = slot;
  table_.pop_back();
}

// Not of one that took its agent over.
void GatewayRouter::Forget(const GatewayLink& link) {
  const auto found = open_.find(link.agent_id);
  if (found != open_.end() && *found == &link) open_.erase(found);
}

void GatewayRouter::CheckGreetings() {
  std::vector<std::pair<GatewayLink*, link::CloseReason>> late;
  for (const auto& [ref, link] : greetings_) {
    const std::uint32_t waited = now_s_ - link->heard_s;  // since the upgrade, or since Hello
    if (link->state == GatewayLink::State::kGreeting && waited >= seconds(options_.first_message)) {
      late.emplace_back(link, pb::CLOSE_REASON_HANDSHAKE_TIMEOUT);
    } else if (link->state == GatewayLink::State::kClaiming &&
               waited >= seconds(link->greeting->claimed ? options_.claim
                                                         : options_.claim_without_redis)) {
      late.emplace_back(link, pb::CLOSE_REASON_TRY_LATER);
    }
  }
  for (const auto& [link, reason] : late) {
    Close(*link, reason, reason == pb::CLOSE_REASON_TRY_LATER ? RetryAfterSeconds() : 0);
  }
}

void GatewayRouter::BecomeBusy(GatewayLink& link) {
  if (std::exchange(link.busy, true)) return;
  link.busy_s = now_s_;
}

void GatewayRouter::CheckSilence() {
  const std::size_t slice = table_.size() / kSweepSeconds + 1;
  for (std::size_t i = 0; i < slice && !table_.empty(); ++i) {
    if (sweep_at_ >= table_.size()) sweep_at_ = 0;
    GatewayLink& link = *table_[sweep_at_++];
    if (link.state == GatewayLink::State::kOpen) CheckSilence(link);
  }
}

void GatewayRouter::CheckSilence(GatewayLink& link) {
  PumpRequests(link);  // in case answers got lost
  const std::uint32_t silent_s = now_s_ - link.heard_s;
  if (silent_s >= seconds(options_.silence_idle)) return Close(link, pb::CLOSE_REASON_PEER_SILENT);
  if (!link.busy) return;
  // An idle agent may have been silent for longer than this when a command came for it.
  const std::uint32_t asked_s = now_s_ - std::max(link.heard_s, link.busy_s);
  if (asked_s >= seconds(options_.silence_busy)) {
    Close(link, pb::CLOSE_REASON_PEER_SILENT);
  } else if (!link.pinged && asked_s >= seconds(options_.ping_busy)) {
    link.pinged = true;
    port_.Ping(link.transport);
  }
}

std::uint32_t GatewayRouter::RetryAfterSeconds() const {
  const auto draw = crypto_.RandomBytes<Nonce16>();
  return kRetryLeastSeconds + draw.data()[0] % kRetrySpreadSeconds;
}

std::optional<std::uint32_t> GatewayRouter::RefuseUpgrade() const {
  const bool full = greetings_.size() >= options_.max_greetings;
  if (!full && !(drain_by_ && now_ >= *drain_by_)) return std::nullopt;
  return RetryAfterSeconds();
}

void GatewayRouter::OnDrain(Duration window) {
  drain_by_ = now_ + window;
  counters_.Set(Counter::kState, 2);
  if (window <= Duration::zero()) return CloseAll();
  SendUp();
  for (GatewayLink* const link : open_) SayGoaway(*link, window);
}

void GatewayRouter::OnShed(std::size_t count, Duration window) {
  if (drain_by_) return;  // they go anyway
  std::vector<GatewayLink*> links;
  links.reserve(open_.size());
  for (GatewayLink* const link : open_) {
    if (!link->shed) links.push_back(link);
  }
  const auto end = links.begin() + static_cast<std::ptrdiff_t>(std::min(count, links.size()));
  std::ranges::nth_element(
      links, end, {}, [](const GatewayLink* link) { return std::pair(link->busy, link->ref); });
  for (auto link = links.begin(); link != end; ++link) {
    (*link)->shed = true;
    counters_.Add(Counter::kLinksShed);
    SayGoaway(**link, window);
  }
}

void GatewayRouter::SayGoaway(GatewayLink& link, Duration window) {
  link::Frame frame;
  frame.mutable_goaway()->set_reason(pb::CLOSE_REASON_GOING_AWAY);
  frame.mutable_goaway()->set_window_s(seconds(window));
  QueueFrame(link, frame);
}

void GatewayRouter::CheckDrain() {
  if (drain_by_ && now_ >= *drain_by_ + options_.drain_slack) CloseAll();
}

void GatewayRouter::CloseAll() {
  if (!closed_at_) closed_at_ = now_;
  std::vector<GatewayLink*> all;
  all.reserve(table_.size());
  for (const auto& link : table_) all.push_back(link.get());
  for (GatewayLink* const link : all) Close(*link, pb::CLOSE_REASON_GOING_AWAY);
}

}  // namespace holdfast::backend
