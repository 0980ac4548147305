// ApiSession, third part: submitting, finding and watching commands.
#include <algorithm>
#include <utility>
#include <variant>

#include "backend/core/control_api_session.h"
#include "backend/core/control_convert.h"
#include "backend/core/control_describe.h"
#include "common/link/limits.h"
#include "common/sign/envelope.h"
#include "holdfast/link/v1/link.pb.h"

namespace holdfast::backend {

namespace api = ::holdfast::api::v1;
namespace command = ::holdfast::command::v1;

namespace {

constexpr std::uint32_t kDefaultCommands = 50;  // api.proto
constexpr std::uint32_t kMaxCommands = 1000;
constexpr std::size_t kMinDigestPrefix = 2;
constexpr int kMaxPositions = 1000;
constexpr int kMaxTypedRecords = 32;
constexpr std::string_view kPtyVerb = "pty";

// A refusal by the rules that endpoints apply, in the words of the API.
Error FromRefusal(const sign::Refusal& refusal) {
  switch (refusal.failure) {
    case command::COMMAND_FAILURE_EXPIRED: return {Code::kExpired, refusal.message};
    case command::COMMAND_FAILURE_MALFORMED:
    case command::COMMAND_FAILURE_UNKNOWN_VERB: return {Code::kInvalid, refusal.message};
    default:
      return {Code::kDenied,
              command::CommandFailure_Name(refusal.failure).substr(sizeof "COMMAND_FAILURE_" - 1) +
                  ": " + refusal.message};
  }
}

}  // namespace

// As it is in this turn: in memory while open, else in the store.
Result<std::optional<CommandRow>> ApiSession::Find(const Digest& digest) const {
  if (const CommandRow* open = ports_.ledger.FindCommand(digest)) return std::optional(*open);
  return ports_.store.FindCommand(digest);
}

void ApiSession::Submit(std::uint64_t id, const api::Submit& request, Moment now) {
  const Result<Digest> digest = Accept(request, now);
  if (!digest.ok()) {
    ++refused_;
    return Fail(id, digest.error());
  }
  ++accepted_;
  api::ServerMessage message;
  auto& submitted = *message.mutable_submitted();
  submitted.set_digest(digest.value().str());
  auto envelope = sign::ParseEnvelope(request.envelope(), sign::kCommandType);
  command::Command parsed;
  if (envelope.ok() && parsed.ParseFromString(envelope.value().payload())) {
    for (const std::string& target : parsed.target().agent_ids()) {
      const auto agent = AgentId::From(target);
      if (agent && !ports_.sessions.online(*agent)) submitted.add_offline(target);
    }
  }
  Send(id, std::move(message));
}

Result<Digest> ApiSession::Accept(const api::Submit& request, Moment now) {
  // The same bytes again give the same answer, whatever has expired since.
  HF_ASSIGN_OR_RETURN(const sign::Envelope envelope,
                      sign::ParseEnvelope(request.envelope(), sign::kCommandType));
  const Digest digest =
      sign::EnvelopeDigest(ports_.crypto, envelope.payload_type(), envelope.payload());
  HF_ASSIGN_OR_RETURN(const std::optional<CommandRow> known, Find(digest));
  if (known) return digest;

  sign::CommandCheck check;
  check.now = now.wall;
  const bool same_cert = request.cert_envelope() == cert_envelope_;
  auto checked = sign::CheckCommand(
      ports_.crypto, ports_.trust,
      {request.envelope(), request.cert_envelope(), same_cert ? &cert_ : nullptr}, check);
  if (const auto* refusal = std::get_if<sign::Refusal>(&checked)) return FromRefusal(*refusal);
  const auto& verified = std::get<sign::VerifiedCommand>(checked);

  HF_ASSIGN_OR_RETURN(const auto same_id, ports_.store.FindCommandById(verified.command_id));
  if (same_id || ports_.ledger.FindCommandById(verified.command_id) != nullptr) {
    return Error{Code::kExists, "another command has this id; sign a new one"};
  }
  std::vector<AgentId> targets;
  HF_TRY(CheckTargets(verified, targets));
  HF_TRY(ports_.ledger.Admit(targets, request.envelope().size()));

  CommandRow row;
  row.digest = digest;
  row.command_id = verified.command_id;
  row.envelope = request.envelope();
  row.cert_envelope = request.cert_envelope();
  row.verb = verified.verb;
  row.operator_id = verified.operator_id;
  row.detail = Describe(verified.verb, verified.command);
  row.not_after_ms = verified.command.not_after_ms();
  ports_.ledger.Accept(std::move(row), targets, now);
  EndWhatACancelReaches(verified, targets, now);
  for (const AgentId& agent : targets) ports_.dispatcher.OnDue(agent);
  return digest;
}

Status ApiSession::CheckTargets(const sign::VerifiedCommand& verified,
                                std::vector<AgentId>& targets) const {
  for (const std::string& target : verified.command.target().agent_ids()) {
    const auto agent = AgentId::From(target);
    if (!agent || ports_.agents.FindActive(*agent) == nullptr) {
      return Error{Code::kNotFound, "no such agent: " + ToHex(target)};
    }
    targets.push_back(*agent);
  }
  std::sort(targets.begin(), targets.end());
  if (std::adjacent_find(targets.begin(), targets.end()) != targets.end()) {
    return Error{Code::kInvalid, "an agent is named twice"};
  }
  for (const std::string& before : verified.command.update().after()) {
    HF_ASSIGN_OR_RETURN(const auto known, Find(*Digest::From(before)));
    if (!known) return Error{Code::kNotFound, "no such command before it: " + ToHex(before)};
  }
  for (const auto& blob : verified.command.blobs()) {
    const auto sha256 = Digest::From(blob.sha256());
    if (!sha256 || !ports_.blobs.Has(*sha256, blob.size())) {
      return Error{Code::kNotFound, "upload the content first: blob " + ToHex(blob.sha256())};
    }
  }
  return Ok();
}

// What was never handed to a gateway cannot run: it ends with the acceptance of its signed cancel.
void ApiSession::EndWhatACancelReaches(const sign::VerifiedCommand& verified,
                                       const std::vector<AgentId>& targets, Moment now) {
  if (!verified.command.has_cancel()) return;
  const auto digest = Digest::From(verified.command.cancel().digest());
  if (!digest) return;
  for (const AgentId& agent : targets) {
    const DeliveryRow* row = ports_.ledger.Find({*digest, agent});
    if (row == nullptr || row->state != DeliveryState::kAccepted) continue;
    ports_.ledger.End({*digest, agent},
                      {command::OUTCOME_CANCELLED,
                       command::COMMAND_FAILURE_CANCELLED,
                       "cancelled before it was sent",
                       {}},
                      now);
  }
}

void ApiSession::ListCommands(std::uint64_t id, const api::ListCommands& request) {
  const std::uint32_t limit =
      request.limit() == 0 ? kDefaultCommands : std::min(request.limit(), kMaxCommands);
  auto rows = ports_.store.ListCommands(request.before_ms(), limit, request.open_only());
  if (!rows.ok()) return Fail(id, rows.error());
  api::ServerMessage message;
  auto& page = *message.mutable_commands();  // also when there is none: the answer is an empty page
  std::size_t bytes = 0;
  for (const CommandRow& row : rows.value()) {
    const CommandRow* open = ports_.ledger.FindCommand(row.digest);
    api::CommandSummary summary = ToProto(open == nullptr ? row : *open);
    bytes += summary.ByteSizeLong();
    if (bytes > options_.page_bytes) break;  // the client pages on from the last one's time
    *page.add_commands() = std::move(summary);
  }
  Send(id, std::move(message));
}

api::Waiting ApiSession::WhyOpen(const DeliveryRow& row) const {
  api::Waiting out;
  const AgentRow* agent = ports_.agents.Find(row.agent_id);
  out.set_online(ports_.sessions.online(row.agent_id));
  if (!out.online() && agent != nullptr) out.set_offline_since_ms(agent->last_seen_ms);
  if (row.state != DeliveryState::kAccepted) return out;
  const std::deque<Digest>& open = ports_.ledger.OpenOf(row.agent_id);
  const auto place = std::find(open.begin(), open.end(), row.digest);
  if (place != open.end()) out.set_ahead(static_cast<std::uint32_t>(place - open.begin()));
  out.set_held(ports_.dispatcher.IsHeld(row.digest, row.agent_id) ||
               ports_.ledger.IsHeldBack(row.digest));
  return out;
}

void ApiSession::GetCommand(std::uint64_t id, const api::GetCommand& request) {
  const std::string& prefix = request.digest_prefix();
  if (prefix.size() < kMinDigestPrefix || prefix.size() > Digest::kSize) {
    return Fail(id, api::API_CODE_INVALID, "a digest prefix has 2 to 32 bytes");
  }
  auto rows = ports_.store.FindCommandsByPrefix(prefix);
  if (!rows.ok()) return Fail(id, rows.error());
  if (rows.value().empty()) return Fail(id, api::API_CODE_NOT_FOUND, "no such command");
  if (rows.value().size() > 1) {
    return Fail(id, api::API_CODE_INVALID, "several commands begin with this; give more digits");
  }
  const CommandRow& row = rows.value().front();
  auto deliveries = ports_.store.DeliveriesOf(row.digest);
  if (!deliveries.ok()) return Fail(id, deliveries.error());
  const CommandRow* open = ports_.ledger.FindCommand(row.digest);
  api::ServerMessage message;
  auto& detail = *message.mutable_command();
  *detail.mutable_summary() = ToProto(open == nullptr ? row : *open);
  detail.set_envelope(row.envelope);
  detail.set_cert_envelope(row.cert_envelope);
  std::size_t bytes = detail.ByteSizeLong();
  for (const DeliveryRow& stored : deliveries.value()) {
    const DeliveryRow* in_memory = ports_.ledger.Find({row.digest, stored.agent_id});
    const DeliveryRow& now = in_memory == nullptr ? stored : *in_memory;
    api::Delivery delivery = ToProto(now, ports_.agents.Find(stored.agent_id));
    if (!now.ended()) *delivery.mutable_waiting() = WhyOpen(now);
    // Many targets: what is long and can be had from Watch is left out first.
    if (bytes + delivery.ByteSizeLong() > options_.page_bytes) {
      delivery.clear_result_envelope();
      delivery.clear_message();
      delivery.clear_hostname();
    }
    bytes += delivery.ByteSizeLong();
    *detail.add_deliveries() = std::move(delivery);
  }
  Send(id, std::move(message));
}

void ApiSession::StartWatch(std::uint64_t id, const api::Watch& request) {
  const auto digest = Digest::From(request.digest());
  if (!digest || request.from_size() > kMaxPositions) {
    return Fail(id, api::API_CODE_INVALID, "a watch names 32 bytes of digest, <= 1000 positions");
  }
  if (watches_.size() >= options_.watches || watches_.contains(id)) {
    return Fail(id, api::API_CODE_TOO_LARGE, "at most 16 watches, each with its own id");
  }
  Watch watch({ports_.store, ports_.files, ports_.ledger, ports_.agents}, *digest, request.output(),
              {request.from().begin(), request.from().end()});
  watches_.emplace(id, OpenWatch{std::move(watch)});
}

void ApiSession::Unwatch(std::uint64_t id, const api::Unwatch& request) {
  watches_.erase(request.watch_id());
  api::ServerMessage message;
  message.mutable_unwatched();
  Send(id, std::move(message));
}

// Whether it was sealed by whom the command says is the agent's to tell: here it is only passed on, if there is
// somebody to take it. An agent that knows no terminals would hang up on such a frame.
void ApiSession::Typed(const api::PtyInput& request) {
  const auto digest = Digest::From(request.digest());
  const auto agent = AgentId::From(request.agent_id());
  if (!digest || !agent || request.records_size() > kMaxTypedRecords) return;
  const CommandRow* command = ports_.ledger.FindCommand(*digest);
  const DeliveryRow* delivery = ports_.ledger.Find({*digest, *agent});
  const bool is_theirs = command != nullptr && command->verb == kPtyVerb &&
                         command->operator_id == operator_id_ && delivery != nullptr &&
                         delivery->state == DeliveryState::kStarted;
  if (!is_theirs) return;
  TypedInput typed{*agent, *digest, {}};
  for (const auto& record : request.records()) {
    link::v1::Frame frame;
    auto& input = *frame.mutable_pty_input();
    input.set_digest(request.digest());
    input.set_seq(record.seq());
    input.set_sealed(record.sealed());
    if (record.sealed().size() > link::kMaxSealedInputBytes) return;
    typed.frames.push_back(frame.SerializeAsString());
  }
  if (!typed.frames.empty()) ports_.typed.push_back(std::move(typed));
}

void ApiSession::Flow(const api::Flow& request) {
  const auto found = watches_.find(request.watch_id());
  if (found == watches_.end()) return;
  found->second.watch.OnFlow(request.consumed_bytes());
  found->second.ready = true;
}

}  // namespace holdfast::backend
