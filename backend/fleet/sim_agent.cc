#include "backend/fleet/sim_agent.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "backend/fleet/moments.h"
#include "common/adapters/lws/close_reason.h"
#include "common/link/limits.h"
#include "common/sign/envelope.h"

namespace holdfast::fleet {
namespace {

namespace lp = ::holdfast::link::v1;
namespace cp = ::holdfast::command::v1;

constexpr std::uint16_t kNormalClosure = 1000;
// A slow reader takes 50 bytes a second.
constexpr Duration kSlowRead = std::chrono::seconds(5);
constexpr std::size_t kSlowBytes = 256;
// A flaky agent's link lasts this long.
constexpr Duration kShortestStay = std::chrono::seconds(5);
constexpr std::uint32_t kStaySpreadMs = 55000;

agent::Dialer::Options DialerOptions(std::size_t servers) {
  agent::Dialer::Options options;
  options.servers = servers;
  return options;
}
Figure EndFigure(agent::CloseReason reason) {
  const auto slot = std::min<std::size_t>(static_cast<std::size_t>(reason), kEndSlots - 1);
  return static_cast<Figure>(static_cast<std::size_t>(Figure::kEndsBase) + slot);
}

}  // namespace

SimAgent::SimAgent(FleetShared& shared, std::uint32_t index, TimePoint now)
    : shared_(shared),
      dialer_(DialerOptions(shared.hosts.size()), (shared.first_number + index) * 2654435761U + 1,
              now),
      index_(index),
      behaviour_(index == 0 && BehaviourOf(shared.mix, shared.first_number) == Behaviour::kClone
                     ? Behaviour::kGood  // there is nobody in this process to be copied
                     : BehaviourOf(shared.mix, shared.first_number + index)) {
  Touch();
}

SimAgent::~SimAgent() = default;

void SimAgent::Touch() {
  if (is_touched_) return;
  is_touched_ = true;
  shared_.touched.push_back(this);
}

void SimAgent::Settle() {
  if (std::exchange(settled_, true)) return;
  shared_.figures.Add(Figure::kSettled);
}

std::string SimAgent::hostname() const {
  std::array<char, 24> name{};
  std::snprintf(name.data(), name.size(), "sim-%06u", number());
  return name.data();
}

std::uint32_t SimAgent::source() const {
  return shared_.source_base == 0 ? 0 : shared_.source_base + number() % shared_.sources;
}

bool SimAgent::has_ended(const Digest& digest) const {
  return std::find(tombstones_.begin(), tombstones_.end(), digest) != tombstones_.end();
}

void SimAgent::Stop(TimePoint now) {
  dialer_.OnHangUp(lp::CLOSE_REASON_AGENT_STOPPING);
  OnTurn(now);
}

void SimAgent::OnTurn(TimePoint now) {
  is_touched_ = false;
  const std::optional<TimePoint> due = dialer_.NextDeadline();
  dialer_.OnTick(now);
  if (has_streams()) {
    for (auto& [digest, stream] : *streams_) stream->sender.OnTick(now);
  }
  if (const auto server = dialer_.TakeDial()) Dial(*server, now);
  if (dialer_.TakeBeat()) {
    beat_due_ = true;
    beat_due_at_ = due ? std::min(*due, now) : now;
  }
  if (std::exchange(cuts_, false) && link_ != nullptr) {
    shared_.figures.Add(Figure::kCuts);
    return link_->Cut();
  }
  if (act_at_ && now >= *act_at_) Act(now);
  if (const auto reason = dialer_.TakeHangUp()) {
    closing_ = reason;
    if (link_ != nullptr) link_->Close(kNormalClosure);
    return;
  }
  if (link_ != nullptr && (welcomed_ || hello_ != nullptr)) link_->WantWrite();
}

std::optional<TimePoint> SimAgent::NextDeadline() const {
  std::optional<TimePoint> next = dialer_.NextDeadline();
  const auto consider = [&next](const std::optional<TimePoint>& due) {
    if (due && (!next || *due < *next)) next = due;
  };
  consider(act_at_);
  if (has_streams()) {
    for (const auto& [digest, stream] : *streams_) consider(stream->sender.NextDeadline());
  }
  return next;
}

void SimAgent::Dial(std::size_t server, TimePoint now) {
  if (is_lost_) return;
  shared_.figures.Add(Figure::kDials);
  dialled_at_ = now;
  server_ = static_cast<std::uint32_t>(server);
  Links::Target target;
  target.url = shared_.bundle.servers(static_cast<int>(server));
  target.path = link::kPath;
  target.subprotocol = link::kSubprotocol;
  target.source_ipv4 = source();
  const HostileAct act = HostileActOf(acts_);
  target.without_upgrade =
      behaviour_ == Behaviour::kHostile && act.when == HostileAct::When::kInsteadOfHttp;
  auto dialled = shared_.links.Dial(target, *this);
  if (!dialled.ok()) {
    ClientEnd end;
    end.detail = dialled.error().message;
    OnClosed(end);
    return;
  }
  link_ = dialled.value();
  if (!target.without_upgrade) return;
  shared_.figures.Add(Figure::kHostileActs);
  ++acts_;
  link_->SendRaw(act.bytes);
}

// The moment of a slow or flaky agent.
void SimAgent::Act(TimePoint now) {
  act_at_.reset();
  if (!welcomed_) return;
  if (behaviour_ == Behaviour::kFlaky) {
    shared_.figures.Add(Figure::kCuts);
    link_->Cut();
    return;
  }
  act_at_ = now + kSlowRead;
  link_->ReadSome(kSlowBytes);
}

void SimAgent::OnOpened() {
  dialer_.OnOpened(Now());
  Touch();
  const HostileAct act = HostileActOf(acts_);
  if (behaviour_ != Behaviour::kHostile || act.when != HostileAct::When::kInsteadOfHello) return;
  shared_.figures.Add(Figure::kHostileActs);
  ++acts_;
  link_->SendRaw(act.bytes);
}

void SimAgent::OnClosed(const ClientEnd& end) {
  const TimePoint now = Now();
  FigurePage& figures = shared_.figures;
  const agent::CloseReason reason =
      dialer_.OnClosed(ReasonOf(end), std::chrono::seconds(end.retry_after_s), now);
  figures.Add(EndFigure(reason));
  if (welcomed_) {
    figures.Sub(Figure::kOnline);
    figures.session_s.Add(static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now - welcomed_at_).count()));
  } else {
    std::string problem(link::ToString(reason));
    if (!end.detail.empty()) problem += ": " + end.detail;
    figures.SetProblem(problem);
  }
  Settle();
  if (has_streams()) {
    for (auto& [digest, stream] : *streams_) stream->sender.OnLinkDown();
  }
  link_ = nullptr;
  hello_.reset();
  closing_.reset();
  act_at_.reset();
  beat_due_at_ = TimePoint{};
  welcomed_ = said_hello_ = beat_due_ = acts_now_ = false;
  Touch();
}

void SimAgent::OnMessage(std::string_view message) {
  const TimePoint now = Now();
  shared_.figures.Add(Figure::kMessagesDown);
  shared_.figures.Add(Figure::kBytesDown, message.size());
  dialer_.OnHeard(now);
  const auto decoded = link::DecodeMessage(message, link::Direction::kDown);
  if (!decoded.ok()) {
    dialer_.OnHangUp(link::CloseReasonFor(decoded.error()));
    Touch();
    return;
  }
  const bool is_stale = welcomed_ && decoded.value().epoch() != epoch_;
  for (const link::Frame& frame : decoded.value().frames()) {
    if (!is_stale) OnFrame(frame, now);
  }
  Touch();
}

void SimAgent::OnFrame(const link::Frame& frame, TimePoint now) {
  switch (frame.body_case()) {
    case link::Frame::kChallenge: OnChallenge(frame.challenge()); return;
    case link::Frame::kWelcome: OnWelcome(frame.welcome(), now); return;
    case link::Frame::kBeat: OnBeat(now); return;
    case link::Frame::kClose:
      dialer_.OnServerClose(frame.close().reason(),
                            std::chrono::seconds(frame.close().retry_after_s()));
      return;
    case link::Frame::kGoaway:
      dialer_.OnGoaway(std::chrono::seconds(frame.goaway().window_s()), now);
      return;
    case link::Frame::kDeliver:
      if (welcomed_) OnDeliver(frame.deliver(), now);
      return;
    case link::Frame::kAck:
      if (welcomed_) OnAck(frame.ack(), now);
      return;
    default: return;
  }
}

void SimAgent::OnBeat(TimePoint now) {
  if (beat_due_at_ == TimePoint{}) return;
  const auto took_ms = static_cast<std::uint64_t>((now - beat_due_at_).count());
  beat_due_at_ = TimePoint{};
  shared_.figures.Add(Figure::kBeatsAnswered);
  shared_.figures.beat_ms.Add(took_ms);
  if (took_ms > kLateBeatMs) shared_.figures.Add(Figure::kBeatsLate);
}

void SimAgent::OnChallenge(const lp::Challenge& challenge) {
  if (said_hello_ || challenge.protocol_version() != link::kProtocolVersion ||
      challenge.server_name() != shared_.hosts[server_]) {
    dialer_.OnHangUp(said_hello_ ? lp::CLOSE_REASON_UNEXPECTED_FRAME
                                 : lp::CLOSE_REASON_BAD_IDENTITY);
    return;
  }
  auto envelope = SignHello(challenge);
  if (!envelope.ok()) {
    dialer_.OnHangUp(lp::CLOSE_REASON_BAD_IDENTITY);
    return;
  }
  if (behaviour_ == Behaviour::kHostile &&
      HostileActOf(acts_).when == HostileAct::When::kForgedHello) {
    shared_.figures.Add(Figure::kHostileActs);
    ++acts_;
    envelope.value().back() = static_cast<char>(envelope.value().back() ^ 1);  // of the signature
  }
  link::LinkMessage out;
  out.add_frames()->mutable_hello()->set_envelope(std::move(envelope).value());
  hello_ = std::make_unique<std::string>(link::EncodeMessage(out));
  said_hello_ = true;
}

Result<std::string> SimAgent::SignHello(const lp::Challenge& challenge) {
  HF_ASSIGN_OR_RETURN(const auto key, shared_.identities.KeyOf(identity_index()));
  Identity& identity = shared_.identities.at(identity_index());
  identity.id = sign::AgentIdOf(shared_.crypto, key->public_key());
  const bool is_clone = behaviour_ == Behaviour::kClone;
  epoch_ = std::max(epoch_ + 1, WallMs());
  cp::AgentHello hello;
  hello.set_fleet_id(shared_.bundle.fleet_id());
  hello.set_server_name(shared_.hosts[server_]);
  hello.set_challenge(challenge.nonce());
  hello.set_agent_id(identity.id.str());
  hello.set_pubkey(key->public_key().str());
  hello.set_incarnation(shared_.identities.IncarnationOf(identity_index()).str());
  hello.set_conn_epoch(epoch_);
  // A copy runs elsewhere: another start of warden, on another machine, with what the original had been told
  // when the copy was made: nothing.
  const std::string salt = is_clone ? "clone" : "";
  hello.set_instance_nonce(
      shared_.crypto.Sha256(shared_.instance.str() + salt).str().substr(0, Nonce16::kSize));
  hello.set_fingerprint(shared_.crypto.Sha256(identity.id.str() + salt).str());
  if (identity.contact == Nonce16{} || is_clone) {
    hello.set_enrol_token(shared_.bundle.token());
  } else {
    hello.set_contact(identity.contact.str());
  }
  cp::AgentFacts& facts = *hello.mutable_facts();
  facts.set_hostname(hostname());
  facts.set_os("Simulated 1.0");
  facts.set_arch("x86_64");
  facts.set_version(version_ ? *version_ : VersionOf(shared_.mix, number(), shared_.version));
  facts.set_kernel("0.0.0-simulated");
  return sign::SignEnvelope(shared_.crypto, *key, sign::kHelloType, hello.SerializeAsString());
}

void SimAgent::OnWelcome(const lp::Welcome& welcome, TimePoint now) {
  if (!said_hello_ || welcomed_ || welcome.epoch() != epoch_) {
    dialer_.OnHangUp(lp::CLOSE_REASON_UNEXPECTED_FRAME);
    return;
  }
  welcomed_ = true;
  welcomed_at_ = now;
  if (behaviour_ != Behaviour::kClone) {  // the codec checked its length
    shared_.identities.at(index_).contact = *Nonce16::From(welcome.contact());
  }
  dialer_.OnWelcomed(std::chrono::seconds(welcome.beat_idle_s()),
                     std::chrono::seconds(welcome.beat_busy_s()), now);
  if (has_streams()) {
    for (auto& [digest, stream] : *streams_) stream->sender.OnLinkUp(now);
  }
  FigurePage& figures = shared_.figures;
  figures.Add(Figure::kWelcomes);
  figures.Add(Figure::kOnline);
  figures.connect_ms.Add(static_cast<std::uint64_t>((now - dialled_at_).count()));
  Settle();
  switch (behaviour_) {
    case Behaviour::kSlow:
      link_->Pause(true);
      act_at_ = now + kSlowRead;
      return;
    case Behaviour::kFlaky:
      act_at_ = now + kShortestStay +
                Duration((number() * 7919U + static_cast<std::uint32_t>(epoch_)) % kStaySpreadMs);
      return;
    case Behaviour::kHostile:
      acts_now_ = HostileActOf(acts_).when == HostileAct::When::kAsMessage;
      return;
    default: return;
  }
}

std::optional<std::string> SimAgent::NextMessage() {
  const TimePoint now = Now();
  link::LinkMessage out;
  std::optional<std::string> bytes;
  if (closing_) {
    out.add_frames()->mutable_close()->set_reason(*closing_);
  } else if (hello_ != nullptr) {
    bytes = std::move(*std::exchange(hello_, nullptr));
  } else if (std::exchange(acts_now_, false)) {
    shared_.figures.Add(Figure::kHostileActs);
    bytes = HostileActOf(acts_++).bytes;
  } else if (welcomed_) {
    if (std::exchange(beat_due_, false)) {
      out.add_frames()->mutable_beat()->set_idle(dialer_.is_idle());
      shared_.figures.Add(Figure::kBeats);
    }
    if (has_streams()) {
      AddSyncs(out, now);
      AddRecords(out, now);
    }
  }
  if (!bytes && out.frames().empty()) return std::nullopt;
  if (!bytes) bytes = link::EncodeMessage(out);
  dialer_.OnSpoke(now);
  shared_.figures.Add(Figure::kMessagesUp);
  shared_.figures.Add(Figure::kBytesUp, bytes->size());
  Touch();  // its deadlines have moved
  return bytes;
}

}  // namespace holdfast::fleet
