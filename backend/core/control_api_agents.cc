// ApiSession, second part: agents, tokens, audit, blobs.
#include <algorithm>
#include <utility>

#include "backend/core/control_api_session.h"
#include "backend/core/control_convert.h"
#include "common/base/untrusted.h"

namespace holdfast::backend {

namespace api = ::holdfast::api::v1;

namespace {
constexpr std::uint32_t kMaxPage = 1000;  // api.proto

std::uint32_t PageLimit(std::uint32_t wanted) {
  return wanted == 0 ? kMaxPage : std::min(wanted, kMaxPage);
}

Result<AgentFilter> ParseFilter(const api::ListAgents& request) {
  constexpr int kMaxLabels = 16;
  constexpr std::size_t kMaxNameBytes = 253;
  AgentFilter filter;
  if (request.labels_size() > kMaxLabels || request.name().size() > kMaxNameBytes) {
    return Error{Code::kInvalid, "at most 16 labels and 253 bytes of name"};
  }
  for (const std::string& label : request.labels()) {
    const std::size_t equals = label.find('=');
    if (equals == std::string::npos) return Error{Code::kInvalid, "a label filter is k=v"};
    filter.labels.emplace_back(label.substr(0, equals), label.substr(equals + 1));
  }
  filter.name = request.name();
  return filter;
}

}  // namespace

void ApiSession::ListAgents(std::uint64_t id, const api::ListAgents& request, Moment now) {
  const Result<AgentFilter> filter = ParseFilter(request);
  if (!filter.ok()) return Fail(id, filter.error());
  const auto& rows = ports_.agents.rows();
  auto at = rows.begin();
  if (!request.after_id().empty()) {
    const auto after = AgentId::From(request.after_id());
    if (!after) return Fail(id, api::API_CODE_INVALID, "after_id must have 16 bytes");
    at = rows.upper_bound(*after);
  }
  const std::uint32_t limit = PageLimit(request.limit());
  api::ServerMessage message;
  auto& page = *message.mutable_agents();
  std::size_t bytes = 0;
  for (; at != rows.end(); ++at) {
    const AgentRow& row = at->second;
    const bool online = ports_.sessions.online(row.id);
    if (row.removed || (request.online_only() && !online) || !Matches(filter.value(), row))
      continue;
    if (page.agents_size() >= static_cast<int>(limit) || bytes > options_.page_bytes) {
      page.set_more(true);
      break;
    }
    api::Agent& agent = *page.add_agents();
    agent = ToProto(row);
    agent.set_online(online);
    if (online) agent.set_last_seen_ms(now.wall_ms());  // its gateway would have told otherwise
    agent.set_open_commands(static_cast<std::uint32_t>(ports_.ledger.OpenOf(row.id).size()));
    bytes += agent.ByteSizeLong();
  }
  Send(id, std::move(message));
}

void ApiSession::RemoveAgent(std::uint64_t id, const api::RemoveAgent& request, Moment now) {
  if (!MayAct(id)) return;
  const auto agent = AgentId::From(request.agent_id());
  if (!agent || ports_.agents.FindActive(*agent) == nullptr) {
    return Fail(id, api::API_CODE_NOT_FOUND, "no such agent");
  }
  ports_.agents.Change(*agent).removed = true;
  ports_.ledger.EndAllOf(*agent,
                         {::holdfast::command::v1::OUTCOME_INTERRUPTED,
                          ::holdfast::command::v1::COMMAND_FAILURE_AGENT_REMOVED,
                          "the agent was removed",
                          {}},
                         /*only_sent=*/false, now);
  ports_.audit.Append({operator_id_, "agent.removed", {}, agent->str(), {}}, now);
  ports_.revoked.push_back(*agent);
  api::ServerMessage message;
  message.mutable_agent_removed();
  Send(id, std::move(message));
}

void ApiSession::CreateToken(std::uint64_t id, const api::CreateToken& request, Moment now) {
  if (!MayAct(id)) return;
  Tokens::Wanted wanted;
  wanted.uses = request.uses();
  wanted.ttl_ms = request.ttl_ms();
  wanted.operator_id = operator_id_;
  for (const auto& label : request.labels()) wanted.labels.emplace_back(label.key(), label.value());
  std::string detail =
      "uses=" + std::to_string(wanted.uses) + " ttl_ms=" + std::to_string(wanted.ttl_ms);
  for (const auto& [key, value] : wanted.labels) {
    detail.append(" ").append(ForLog(Untrusted(key + "=" + value)));
  }
  const Result<Tokens::Created> created = ports_.tokens.Create(std::move(wanted), now);
  if (!created.ok()) return Fail(id, created.error());
  ports_.audit.Append({operator_id_, "token.created", {}, {}, std::move(detail)}, now);
  api::ServerMessage message;
  auto& bundle = *message.mutable_token_created()->mutable_bundle();
  bundle = ports_.settings.bundle;
  bundle.set_token(created.value().token);
  bundle.set_token_expires_ms(created.value().expires_ms);
  Send(id, std::move(message));
}

void ApiSession::ListAudit(std::uint64_t id, const api::ListAudit& request) {
  if (!request.digest().empty() && request.digest().size() != Digest::kSize) {
    return Fail(id, api::API_CODE_INVALID, "digest must have 32 bytes");
  }
  const std::uint32_t limit = PageLimit(request.limit());
  // One more than asked for tells whether there is more.
  auto rows = ports_.store.ListAudit(request.after_seq(), limit + 1, request.digest());
  if (!rows.ok()) return Fail(id, rows.error());
  api::ServerMessage message;
  auto& page = *message.mutable_audit();
  std::size_t bytes = 0;
  for (const AuditRow& row : rows.value()) {
    bytes += row.detail.size() + 256;  // 256: the rest of a record, rounded up
    if (page.records_size() > 0 &&
        (page.records_size() >= static_cast<int>(limit) || bytes > options_.page_bytes)) {
      page.set_more(true);
      break;
    }
    *page.add_records() = ToProto(row);
  }
  Send(id, std::move(message));
}

void ApiSession::BeginBlob(std::uint64_t id, const api::BlobBegin& request) {
  if (!MayUpload(id)) return;
  const auto sha256 = Digest::From(request.sha256());
  if (!sha256) return Fail(id, api::API_CODE_INVALID, "sha256 must have 32 bytes");
  ++later_;
  ports_.blobs.Begin({connection_, id}, *sha256, request.size());
}

void ApiSession::PartOfBlob(std::uint64_t id, const api::BlobPart& request) {
  if (!MayUpload(id)) return;
  const auto sha256 = Digest::From(request.sha256());
  if (!sha256) return Fail(id, api::API_CODE_INVALID, "sha256 must have 32 bytes");
  ++later_;
  ports_.blobs.Part({connection_, id}, *sha256, request.offset(), request.data());
}

}  // namespace holdfast::backend
