#include "backend/fleet/sim_agent.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "common/adapters/lws/close_reason.h"
#include "common/base/crc32c.h"
#include "common/link/limits.h"
#include "common/sign/envelope.h"

namespace holdfast::fleet {
namespace {

namespace lp = ::holdfast::link::v1;
namespace cp = ::holdfast::command::v1;

constexpr std::uint16_t kNormalClosure = 1000;

TimePoint Now() { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }
std::uint64_t WallMs() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
          .count());
}
std::string HostnameOf(std::uint32_t number) {
  std::array<char, 24> name{};
  std::snprintf(name.data(), name.size(), "sim-%06u", number);
  return name.data();
}
agent::Dialer::Options DialerOptions(int servers) {
  agent::Dialer::Options options;
  options.servers = static_cast<std::size_t>(servers);
  return options;
}

}  // namespace

std::uint64_t SimAgent::Stream::chunks() const {
  return (output.size() + link::kMaxChunkBytes - 1) / link::kMaxChunkBytes;
}

SimAgent::SimAgent(const FleetShared& shared, Identity& identity, std::uint32_t number,
                   std::string source_address, TimePoint now)
    : shared_(shared),
      identity_(identity),
      number_(number),
      hostname_(HostnameOf(number)),
      source_address_(std::move(source_address)),
      dialer_(DialerOptions(shared.bundle.servers().size()), number * 2654435761U + 1, now) {
  Touch();
}

SimAgent::~SimAgent() = default;

void SimAgent::Touch() {
  if (is_touched_) return;
  is_touched_ = true;
  shared_.touched->push_back(this);
}

void SimAgent::OnTurn(TimePoint now) {
  is_touched_ = false;
  dialer_.OnTick(now);
  for (auto& [digest, stream] : streams_) stream->sender.OnTick(now);
  if (const auto server = dialer_.TakeDial()) Dial(*server, now);
  if (dialer_.TakeBeat()) beat_due_ = true;
  if (const auto reason = dialer_.TakeHangUp()) {
    closing_ = reason;
    connection_->Close(kNormalClosure);
    return;
  }
  if (welcomed_ || hello_) connection_->WantWrite();
}

std::optional<TimePoint> SimAgent::NextDeadline() const {
  std::optional<TimePoint> next = dialer_.NextDeadline();
  for (const auto& [digest, stream] : streams_) {
    const auto due = stream->sender.NextDeadline();
    if (due && (!next || *due < *next)) next = due;
  }
  return next;
}

void SimAgent::Dial(std::size_t server, TimePoint now) {
  ++shared_.report.dials;
  dialled_at_ = now;
  const std::string& url = shared_.bundle.servers(static_cast<int>(server));
  auto connection =
      shared_.client.Connect({url, link::kPath, link::kSubprotocol, source_address_}, *this);
  if (!connection.ok()) {
    ClientEnd end;
    end.detail = connection.error().message;
    OnClosed(end);
    return;
  }
  connection_ = connection.value();
  host_ = ParseServerUrl(url).value().host;
}

void SimAgent::OnOpened() {
  dialer_.OnOpened(Now());
  Touch();
}

void SimAgent::OnClosed(const ClientEnd& end) {
  const TimePoint now = Now();
  const agent::CloseReason reason =
      dialer_.OnClosed(ReasonOf(end), std::chrono::seconds(end.retry_after_s), now);
  ++shared_.report.ends[std::string(link::ToString(reason))];
  if (!welcomed_) shared_.report.last_problem = link::ToString(reason);
  if (!welcomed_ && !end.detail.empty()) shared_.report.last_problem += ": " + end.detail;
  if (welcomed_) --shared_.report.online;
  for (auto& [digest, stream] : streams_) stream->sender.OnLinkDown();
  connection_ = nullptr;
  hello_.reset();
  closing_.reset();
  welcomed_ = said_hello_ = beat_due_ = false;
  Touch();
}

void SimAgent::OnMessage(std::string_view message) {
  const TimePoint now = Now();
  ++shared_.report.messages_down;
  shared_.report.bytes_down += message.size();
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
    case link::Frame::kClose:
      dialer_.OnServerClose(frame.close().reason(),
                            std::chrono::seconds(frame.close().retry_after_s()));
      shared_.report.last_problem = frame.close().detail();
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

void SimAgent::OnChallenge(const lp::Challenge& challenge) {
  if (said_hello_ || challenge.protocol_version() != link::kProtocolVersion ||
      challenge.server_name() != host_) {
    dialer_.OnHangUp(said_hello_ ? lp::CLOSE_REASON_UNEXPECTED_FRAME
                                 : lp::CLOSE_REASON_BAD_IDENTITY);
    return;
  }
  epoch_ = std::max(epoch_ + 1, WallMs());
  cp::AgentHello hello;
  hello.set_fleet_id(shared_.bundle.fleet_id());
  hello.set_server_name(host_);
  hello.set_challenge(challenge.nonce());
  hello.set_agent_id(identity_.id.str());
  hello.set_pubkey(identity_.key->public_key().str());
  hello.set_incarnation(identity_.incarnation.str());
  hello.set_conn_epoch(epoch_);
  hello.set_instance_nonce(shared_.instance.str());
  hello.set_fingerprint(shared_.crypto.Sha256(identity_.id.view()).str());
  if (identity_.contact == Nonce16{}) {
    hello.set_enrol_token(shared_.bundle.token());
  } else {
    hello.set_contact(identity_.contact.str());
  }
  cp::AgentFacts& facts = *hello.mutable_facts();
  facts.set_hostname(hostname_);
  facts.set_os("Simulated 1.0");
  facts.set_arch("x86_64");
  facts.set_version(HOLDFAST_VERSION);
  facts.set_kernel("0.0.0-simulated");
  auto envelope = sign::SignEnvelope(shared_.crypto, *identity_.key, sign::kHelloType,
                                     hello.SerializeAsString());
  if (!envelope.ok()) {
    dialer_.OnHangUp(lp::CLOSE_REASON_BAD_IDENTITY);
    return;
  }
  link::LinkMessage out;
  out.add_frames()->mutable_hello()->set_envelope(std::move(envelope).value());
  hello_ = link::EncodeMessage(out);
  said_hello_ = true;
}

void SimAgent::OnWelcome(const lp::Welcome& welcome, TimePoint now) {
  if (!said_hello_ || welcomed_ || welcome.epoch() != epoch_) {
    dialer_.OnHangUp(lp::CLOSE_REASON_UNEXPECTED_FRAME);
    return;
  }
  welcomed_ = true;
  identity_.contact = *Nonce16::From(welcome.contact());  // the codec checked its length
  dialer_.OnWelcomed(std::chrono::seconds(welcome.beat_idle_s()),
                     std::chrono::seconds(welcome.beat_busy_s()), now);
  for (auto& [digest, stream] : streams_) stream->sender.OnLinkUp(now);
  Report& report = shared_.report;
  ++report.welcomes;
  ++report.online;
  report.online_max = std::max(report.online_max, report.online);
  if (report.connect_ms.size() < kMaxAgents * std::size_t{4}) {
    report.connect_ms.push_back(static_cast<std::uint32_t>((now - dialled_at_).count()));
  }
}

void SimAgent::OnDeliver(const lp::Deliver& deliver, TimePoint now) {
  auto verdict = shared_.commands.Check(deliver.envelope(), deliver.cert_envelope(), identity_.id,
                                        WallTime{WallMs()});
  if (const auto* refusal = std::get_if<sign::Refusal>(&verdict)) {
    ++shared_.report.refused;
    if (!refusal->digest || streams_.contains(*refusal->digest)) return;
    fleet::Answer answer;
    answer.result.set_outcome(cp::OUTCOME_REFUSED);
    answer.result.set_failure(refusal->failure);
    answer.result.set_message(refusal->message);
    Answer(*refusal->digest, std::move(answer), now);
    return;
  }
  const KnownCommand& known = *std::get<std::shared_ptr<const KnownCommand>>(verdict);
  const Digest& digest = known.verified.digest;
  const bool has_ended =
      std::find(tombstones_.begin(), tombstones_.end(), digest) != tombstones_.end();
  if (has_ended || streams_.contains(digest)) {
    ++shared_.report.repeated;
    return;
  }
  fleet::Answer answer;
  if (streams_.size() >= kMaxOpenStreams) {
    ++shared_.report.refused;
    answer.result.set_outcome(cp::OUTCOME_REFUSED);
    answer.result.set_failure(cp::COMMAND_FAILURE_TOO_MANY_OPEN);
  } else {
    ++shared_.report.commands;
    answer = AnswerOf(known.verified.command, hostname_, number_);
  }
  Answer(digest, std::move(answer), now);
}

void SimAgent::Answer(const Digest& digest, fleet::Answer answer, TimePoint now) {
  auto stream = std::make_unique<Stream>(
      Stream{digest, link::StreamSender(link::StreamSender::Options(), 0), "", "", false});
  stream->was_refused = answer.result.outcome() == cp::OUTCOME_REFUSED;
  stream->output = std::move(answer.output);
  stream->final_envelope = SignResult(digest, *stream, answer);
  const std::uint64_t records = stream->records();
  for (std::uint64_t seq = 0; seq < records; ++seq) {
    const std::uint64_t first_chunk = 2;
    const bool is_chunk = !stream->was_refused && seq >= first_chunk && seq + 1 < records;
    const std::size_t at = is_chunk ? (seq - first_chunk) * link::kMaxChunkBytes : 0;
    const std::size_t size =
        is_chunk ? std::min(link::kMaxChunkBytes, stream->output.size() - at) : 0;
    if (!stream->sender.OnRecord(static_cast<std::uint32_t>(size)).ok()) return;
  }
  stream->sender.OnLinkUp(now);
  streams_.emplace(digest, std::move(stream));
  dialer_.OnBusy(true, now);
}

std::string SimAgent::SignResult(const Digest& digest, const Stream& stream,
                                 fleet::Answer& answer) const {
  cp::Result& result = answer.result;
  result.set_command_digest(digest.str());
  result.set_agent_id(identity_.id.str());
  result.set_incarnation(identity_.incarnation.str());
  result.set_attempt(1);
  if (!stream.was_refused) result.set_started_at_ms(WallMs());
  result.set_ended_at_ms(WallMs());
  result.set_output_bytes(stream.output.size());
  result.set_chunk_count(stream.chunks());
  result.set_output_sha256(shared_.crypto.Sha256(stream.output).str());
  result.set_policy_version(shared_.trust.policy.version());
  auto envelope = sign::SignEnvelope(shared_.crypto, *identity_.key, sign::kResultType,
                                     result.SerializeAsString());
  return envelope.ok() ? std::move(envelope).value() : std::string();
}

void SimAgent::OnAck(const lp::Ack& ack, TimePoint now) {
  const auto digest = Digest::From(ack.digest());
  const auto found = digest ? streams_.find(*digest) : streams_.end();
  if (found == streams_.end() || ack.attempt() != 1) return;
  const link::StreamSender::Acked acked{ack.next_seq(), ack.window_bytes(), ack.rewind(),
                                        ack.complete()};
  if (!found->second->sender.OnAck(acked, now).ok()) {
    dialer_.OnHangUp(lp::CLOSE_REASON_UNEXPECTED_FRAME);
    return;
  }
  if (!found->second->sender.complete()) return;
  ++shared_.report.completed;
  tombstones_.push_back(*digest);
  if (tombstones_.size() > kMaxTombstones) tombstones_.pop_front();
  streams_.erase(found);
  dialer_.OnBusy(!streams_.empty(), now);
}

std::optional<std::string> SimAgent::NextMessage() {
  const TimePoint now = Now();
  link::LinkMessage out;
  std::optional<std::string> bytes;
  if (closing_) {
    out.add_frames()->mutable_close()->set_reason(*closing_);
  } else if (hello_) {
    bytes = std::exchange(hello_, std::nullopt);
  } else if (welcomed_) {
    if (std::exchange(beat_due_, false)) {
      out.add_frames()->mutable_beat()->set_idle(dialer_.is_idle());
      ++shared_.report.beats;
    }
    AddSyncs(out, now);
    AddRecords(out, now);
  }
  if (!bytes && out.frames().empty()) return std::nullopt;
  if (!bytes) bytes = link::EncodeMessage(out);
  dialer_.OnSpoke(now);
  ++shared_.report.messages_up;
  shared_.report.bytes_up += bytes->size();
  Touch();  // its deadlines have moved
  return bytes;
}

void SimAgent::AddSyncs(link::LinkMessage& out, TimePoint now) {
  lp::Sync* sync = nullptr;
  for (auto& [digest, stream] : streams_) {
    if (!stream->sender.NextSync(now)) continue;
    if (sync == nullptr) sync = out.add_frames()->mutable_sync();
    lp::StreamRef* ref = sync->add_streams();
    ref->set_digest(digest.str());
    ref->set_attempt(1);
  }
}

void SimAgent::AddRecords(link::LinkMessage& out, TimePoint now) {
  bool has_chunk = false;  // one full chunk is what a message has room for
  for (auto& [digest, stream] : streams_) {
    while (!has_chunk && out.frames().size() < link::kMaxFramesPerMessage) {
      const auto seq = stream->sender.NextRecord(now);
      if (!seq) break;
      link::Frame& frame = *out.add_frames();
      FillRecord(*stream, *seq, frame);
      has_chunk = frame.up().has_chunk() && frame.up().chunk().data().size() > 16 * 1024;
    }
  }
}

void SimAgent::FillRecord(const Stream& stream, std::uint64_t seq, link::Frame& frame) const {
  lp::Up& up = *frame.mutable_up();
  up.set_digest(stream.digest.str());
  up.set_attempt(1);
  up.set_seq(seq);
  if (seq + 1 == stream.records()) {
    up.mutable_final()->set_envelope(stream.final_envelope);
  } else if (seq == 0) {
    up.mutable_received()->set_at_ms(WallMs());
  } else if (seq == 1) {
    up.mutable_started()->set_at_ms(WallMs());
  } else {
    const std::size_t offset = static_cast<std::size_t>(seq - 2) * link::kMaxChunkBytes;
    lp::Chunk& chunk = *up.mutable_chunk();
    chunk.set_offset(offset);
    chunk.set_data(stream.output.substr(offset, link::kMaxChunkBytes));
    chunk.set_crc32c(Crc32c(chunk.data()));
  }
}

}  // namespace holdfast::fleet
