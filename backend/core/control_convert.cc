#include "backend/core/control_convert.h"

#include <algorithm>

#include "common/base/utf8.h"

namespace holdfast::backend {

namespace api = ::holdfast::api::v1;

namespace {
constexpr std::size_t kMaxErrorBytes = 1024;  // api.proto
// One line of a listing; the whole stands in the audit and in the envelope.
constexpr std::size_t kMaxSummaryDetailBytes = 512;
}  // namespace

api::Delivery ToProto(const DeliveryRow& row, const AgentRow* agent) {
  api::Delivery out;
  out.set_agent_id(row.agent_id.str());
  if (agent != nullptr) {
    out.set_hostname(HostnameOf(*agent));
    out.set_agent_pubkey(agent->pubkey.str());
  }
  out.set_state(static_cast<api::DeliveryState>(row.state));
  out.set_accepted_ms(row.accepted_ms);
  out.set_sent_ms(row.sent_ms);
  out.set_received_ms(row.received_ms);
  out.set_started_ms(row.started_ms);
  out.set_ended_ms(row.ended_ms);
  out.set_sends(row.sends);
  out.set_stored_bytes(row.stored_bytes);
  out.set_outcome(row.outcome);
  out.set_failure(row.failure);
  out.set_message(Utf8Prefix(row.message, row.message.size()));
  out.set_result_envelope(row.result_envelope);
  return out;
}

api::CommandSummary ToProto(const CommandRow& row) {
  api::CommandSummary out;
  out.set_digest(row.digest.str());
  out.set_verb(row.verb);
  out.set_operator_id(row.operator_id);
  out.set_accepted_ms(row.accepted_ms);
  out.set_not_after_ms(row.not_after_ms);
  out.set_targets(row.targets);
  out.set_ended(row.ended);
  out.set_succeeded(row.succeeded);
  out.set_detail(Utf8Prefix(row.detail, kMaxSummaryDetailBytes));
  return out;
}

api::AuditRecord ToProto(const AuditRow& row) {
  api::AuditRecord out;
  out.set_seq(row.seq);
  out.set_at_ms(row.at_ms);
  out.set_actor(row.actor);
  out.set_action(row.action);
  out.set_digest(row.digest);
  out.set_agent_id(row.agent_id);
  out.set_detail(Utf8Prefix(row.detail, row.detail.size()));  // what an older control cut
  out.set_prev_hash(row.prev_hash.str());
  out.set_hash(row.hash.str());
  return out;
}

api::Agent ToProto(const AgentRow& row) {
  api::Agent out;
  out.set_id(row.id.str());
  const std::string_view facts = row.facts;  // our own bytes; else empty
  (void)out.mutable_facts()->ParseFromArray(facts.data(), static_cast<int>(facts.size()));
  out.set_last_seen_ms(row.last_seen_ms);
  out.set_enrolled_ms(row.enrolled_ms);
  for (const auto& [key, value] : row.labels) {
    auto& label = *out.add_labels();
    label.set_key(key);
    label.set_value(value);
  }
  out.set_address(Utf8Prefix(row.address, std::string_view(row.address).size()));
  out.set_epoch(row.epoch);
  out.set_clone_suspected(row.clone_suspected);
  out.set_pubkey(row.pubkey.str());
  return out;
}

api::ApiCode ToApiCode(Code code) {
  switch (code) {
    case Code::kInvalid:
    case Code::kUnsupported: return api::API_CODE_INVALID;
    case Code::kDenied: return api::API_CODE_DENIED;
    case Code::kNotFound: return api::API_CODE_NOT_FOUND;
    case Code::kExists: return api::API_CODE_CONFLICT;
    case Code::kExhausted: return api::API_CODE_QUEUE_FULL;
    case Code::kExpired: return api::API_CODE_EXPIRED;
    case Code::kCorrupt:
    case Code::kUnavailable:
    case Code::kCancelled:
    case Code::kInternal: return api::API_CODE_UNAVAILABLE;
  }
  HF_UNREACHABLE("code of an error");
}

api::ApiError ToApiError(const Error& error) {
  api::ApiError out;
  out.set_code(ToApiCode(error.code));
  out.set_message(Utf8Prefix(error.message, kMaxErrorBytes));
  return out;
}

}  // namespace holdfast::backend
