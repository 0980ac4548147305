// GatewayRouter's other half: what comes from control, and what goes to it.
#include <utility>

#include "backend/core/gateway_router.h"

namespace holdfast::backend {
namespace {

namespace pb = ::holdfast::link::v1;
namespace route = ::holdfast::route::v1;

// As declared in route.proto.
constexpr int kMaxSendAgents = 1000;
constexpr int kMaxSendFrames = 64;
constexpr int kMaxLinksPerEntry = 1000;

}  // namespace

void GatewayRouter::OnLost(const Error& /*why*/) {
  // Links stay: most outages are shorter than a redial of everybody.
}

void GatewayRouter::OnRestored() {
  cursor_.clear();  // the stream is read again from its start
  SendUp();
  SendClaims();  // those that Redis had may be forgotten
}

void GatewayRouter::OnControl(std::string_view instance) {
  control_ = instance;
  control_stream_ = ControlStream(instance);
  handled_bytes_ = 0;
  SendUp();
  SendClaims();  // the one before may have died with these unanswered
}

void GatewayRouter::SendClaims() {
  for (const auto& [ref, link] : greetings_) {
    if (link->state == GatewayLink::State::kClaiming) SendClaim(*link);
  }
}

void GatewayRouter::OnEntry(std::string_view id, std::string_view message) {
  cursor_ = id;
  ToGateway entry;
  if (message.size() > kMaxEntryBytes ||
      !entry.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return;  // not of our making; it is handled by being skipped
  }
  Handle(entry);
  if (entry.control() == control_) handled_bytes_ = entry.sent_bytes();
  unsaid_bytes_ += message.size();
  if (unsaid_bytes_ >= options_.up_bytes) SendUp();
}

void GatewayRouter::Handle(const ToGateway& entry) {
  switch (entry.body_case()) {
    case ToGateway::kSend: return OnSend(entry.send());
    case ToGateway::kClaimAnswer: return OnClaimAnswer(entry.claim_answer());
    case ToGateway::kCloseLink: return OnCloseLink(entry.close_link());
    case ToGateway::kAnnounce: return OnAnnounce();
    case ToGateway::BODY_NOT_SET: return;
  }
}

void GatewayRouter::OnSend(const route::Send& send) {
  if (send.agent_ids_size() > kMaxSendAgents || send.frames_size() > kMaxSendFrames) return;
  // Whoever of its agents it was: the next would kill us as well.
  const AtHandScope at_hand(&counters_, AgentId(), Digest::From(send.digest()).value_or(Digest()));
  struct Down {
    GatewayOutbox::SharedFrame frame;
    std::optional<Digest> blob_of;  // the command whose blob this is part of
    std::uint64_t blob_offset = 0;
  };
  std::vector<Down> frames;
  frames.reserve(static_cast<std::size_t>(send.frames_size()));
  bool delivers = false;
  for (const std::string& frame : send.frames()) {
    // An agent would close its link over a frame that may not come down: better not to send it.
    const auto decoded = link::DecodeFrame(frame, link::Direction::kDown);
    if (!decoded.ok()) continue;
    delivers = delivers || decoded.value().has_deliver();
    Down& down = frames.emplace_back();
    down.frame = std::make_shared<const std::string>(frame);
    if (!decoded.value().has_blob_data()) continue;
    down.blob_of = Digest::From(decoded.value().blob_data().digest());
    down.blob_offset = decoded.value().blob_data().offset();
  }
  for (const std::string& id : send.agent_ids()) {
    const auto agent_id = AgentId::From(id);
    const auto found = agent_id ? open_.find(*agent_id) : open_.end();
    if (found == open_.end()) continue;
    GatewayLink& link = **found;
    if (delivers) {
      BecomeBusy(link);
      link.crossing = true;
    }
    for (const Down& down : frames) {
      Queue(link, down.frame,
            down.blob_of ? GatewayOutbox::Lane::kBlobs : GatewayOutbox::Lane::kFirst);
      if (down.blob_of && link.blobs) link.blobs->OnAnswer(*down.blob_of, down.blob_offset, now_s_);
    }
    PumpRequests(link);
  }
}

void GatewayRouter::OnClaimAnswer(const route::ClaimAnswer& answer) {
  const auto found = greetings_.find(answer.link_ref());
  const bool is_here =
      found != greetings_.end() && found->second->state == GatewayLink::State::kClaiming &&
      found->second->epoch == answer.epoch() && found->second->agent_id.view() == answer.agent_id();
  if (!is_here) return SayNeverOpened(answer);
  GatewayLink& link = *found->second;
  link.greeting->claimed = false;
  if (!answer.granted()) {
    const bool known =
        pb::CloseReason_IsValid(answer.reason()) && answer.reason() != pb::CLOSE_REASON_UNSPECIFIED;
    return Close(link, known ? answer.reason() : pb::CLOSE_REASON_TRY_LATER,
                 answer.retry_after_s());
  }
  if (answer.contact().size() != Nonce16::kSize) {
    return Close(link, pb::CLOSE_REASON_TRY_LATER, RetryAfterSeconds());
  }
  Admit(link, answer);
}

void GatewayRouter::Admit(GatewayLink& link, const route::ClaimAnswer& answer) {
  if (const auto found = open_.find(link.agent_id); found != open_.end()) {
    if ((*found)->epoch >= link.epoch) return Close(link, pb::CLOSE_REASON_SUPERSEDED);
    Close(**found, pb::CLOSE_REASON_SUPERSEDED);  // forgets it
  }
  greetings_.erase(link.ref);
  port_.OnHandshakeDone(link.greeting->peer_address);
  link.greeting.reset();
  link.state = GatewayLink::State::kOpen;
  link.welcomed = true;
  link.heard_s = now_s_;
  open_.insert(&link);
  counters_.Sub(Counter::kHandshakes);
  counters_.Add(Counter::kLinks);
  counters_.Add(Counter::kLinksOpened);
  port_.SetMaxMessageBytes(link.transport, link::kMaxMessageBytes);

  link::Frame frame;
  pb::Welcome& welcome = *frame.mutable_welcome();
  welcome.set_epoch(link.epoch);
  welcome.set_contact(answer.contact());
  welcome.set_journal_reverted(answer.journal_reverted());
  welcome.set_server_time_ms(wall_.get());
  welcome.set_beat_idle_s(seconds(link::kBeatIdle));
  welcome.set_beat_busy_s(seconds(link::kBeatBusy));
  QueueFrame(link, frame);
  if (drain_by_) SayGoaway(link, std::max(*drain_by_ - now_, Duration::zero()));
}

void GatewayRouter::OnCloseLink(const route::CloseLink& close) {
  const auto agent_id = AgentId::From(close.agent_id());
  const auto found = agent_id ? open_.find(*agent_id) : open_.end();
  if (found == open_.end() || (*found)->epoch > close.epoch()) return;
  const bool known =
      pb::CloseReason_IsValid(close.reason()) && close.reason() != pb::CLOSE_REASON_UNSPECIFIED;
  Close(**found, known ? close.reason() : pb::CLOSE_REASON_GOING_AWAY);
}

void GatewayRouter::OnAnnounce() {
  ToControl message;
  for (const GatewayLink* const link : open_) {
    route::LinkRef& ref = *message.mutable_links()->add_links();
    ref.set_agent_id(link->agent_id.str());
    ref.set_epoch(link->epoch);
    if (message.links().links_size() < kMaxLinksPerEntry) continue;
    message.mutable_links()->set_event_no(event_no_);
    if (!SendToControl(message)) return;  // control asks again
    message.Clear();
  }
  message.mutable_links()->set_event_no(event_no_);
  message.mutable_links()->set_last(true);
  static_cast<void>(SendToControl(message));
}

void GatewayRouter::QueueFrame(GatewayLink& link, const link::Frame& frame) {
  Queue(link, std::make_shared<const std::string>(frame.SerializeAsString()),
        GatewayOutbox::Lane::kFirst);
}

void GatewayRouter::Queue(GatewayLink& link, const GatewayOutbox::SharedFrame& frame,
                          GatewayOutbox::Lane lane) {
  if (link.outbox == nullptr) link.outbox = std::make_unique<GatewayOutbox>();
  const bool was_empty = link.outbox->empty();
  // A full queue belongs to a reader that is stalled: it is repeated to, or closed after 15 s.
  if (link.outbox->Add(frame, lane) && was_empty) port_.WantWrite(link.transport);
}

void GatewayRouter::SendClaim(GatewayLink& link) {
  ToControl message;
  route::Claim& claim = *message.mutable_claim();
  claim.set_link_ref(link.ref);
  claim.set_hello_envelope(link.greeting->hello_envelope);
  claim.set_peer_address(link.greeting->peer_address);
  claim.set_event_no(++event_no_);
  link.greeting->claimed = SendToControl(message);
}

// Its socket closed before the answer came, or the answer comes twice. What was granted and is not open
// here is a link that control would believe in for ever.
void GatewayRouter::SayNeverOpened(const route::ClaimAnswer& answer) {
  const auto agent_id = AgentId::From(answer.agent_id());
  if (!answer.granted() || !agent_id) return;
  const auto open = open_.find(*agent_id);
  if (open != open_.end() && (*open)->epoch == answer.epoch()) return;
  SendClosed(*agent_id, answer.epoch(), pb::CLOSE_REASON_PEER_GONE);
}

void GatewayRouter::SendClosed(const AgentId& agent_id, std::uint64_t epoch,
                               link::CloseReason reason) {
  ToControl message;
  route::LinkClosed& closed = *message.mutable_link_closed();
  closed.set_agent_id(agent_id.str());
  closed.set_epoch(epoch);
  closed.set_reason(reason);
  closed.set_event_no(++event_no_);
  static_cast<void>(SendToControl(message));  // a lost one shows as a gap in the numbers
}

void GatewayRouter::SendUp() {
  up_at_ = now_ + options_.up_interval;
  unsaid_bytes_ = 0;
  ToControl message;
  route::GatewayUp& up = *message.mutable_gateway_up();
  up.set_cursor(cursor_);
  up.set_event_no(event_no_);
  up.set_links(open_.size());
  up.set_draining(draining());
  up.set_handled_bytes(handled_bytes_);
  static_cast<void>(SendToControl(message));  // the next one is due in 5 s
}

bool GatewayRouter::SendToControl(ToControl& message) {
  message.set_gateway(options_.instance);
  return AddToControl(message.SerializeAsString());
}

bool GatewayRouter::AddToControl(std::string_view entry) {
  if (control_stream_.empty()) return false;
  return streams_->Add(control_stream_, entry).ok();
}

void GatewayRouter::FlushBatch() {
  if (batch_.empty()) return;
  const GatewayLink& from = *std::exchange(batch_link_, nullptr);
  // Without Redis these frames are gone; their agent sends them again after 10 s without an Ack.
  static_cast<void>(AddToControl(batch_.Finish(from.agent_id, from.epoch)));
}

}  // namespace holdfast::backend
