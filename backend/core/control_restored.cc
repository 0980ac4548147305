#include "backend/core/control_restored.h"

#include <optional>
#include <string>
#include <utility>

#include "backend/core/control_agents.h"
#include "backend/core/control_audit.h"
#include "backend/core/control_ledger.h"

namespace holdfast::backend {
namespace {

// As when it had just enrolled: Sessions takes the next Hello on trust, and none of its past (control_claims.cc).
void ForgetLinks(AgentRow& row) {
  row.epoch = 0;
  row.instance_nonce = {};
  row.fingerprint = {};
  row.incarnation = {};
  row.contact = {};
  row.prev_contact = {};
}

Status WriteAll(Store& store, const AgentTable& agents, const Ledger& ledger,
                const AuditLog& audit) {
  HF_TRY(agents.WriteChanges(store));
  HF_TRY(ledger.WriteChanges(store));
  return audit.Write(store);
}

}  // namespace

Result<Restored> BeginAnew(Store& store, const sign::Crypto& crypto, std::uint64_t made_ms,
                           Moment now) {
  AuditLog audit(crypto);
  AgentTable agents;
  Ledger ledger({}, audit);
  Restored out;
  HF_TRY(audit.Load(store));
  HF_TRY(agents.Load(store));
  HF_TRY(ledger.Load(store));
  HF_ASSIGN_OR_RETURN(const std::optional<AuditRow> last, store.LastAudit());
  out.audit_seq = last ? last->seq : 0;
  out.deliveries = ledger.open_deliveries();
  for (const auto& [id, row] : agents.rows()) {
    if (!row.removed) ++out.agents;
    ForgetLinks(agents.Change(id));
  }
  audit.Append({"control",
                "ledger.restored",
                {},
                {},
                "from a copy of " + std::to_string(made_ms) + " ms since 1970; ended " +
                    std::to_string(out.deliveries) + " open deliveries; enrolment tokens void"},
               now);
  for (const AgentId& agent : ledger.AgentsWithWork()) {
    ledger.EndAllOf(
        agent,
        {::holdfast::command::v1::OUTCOME_INTERRUPTED,
         ::holdfast::command::v1::COMMAND_FAILURE_JOURNAL_LOST,
         "the backend was restored from a backup: what the endpoint did with the command "
         "since is not known",
         {}},
        /*only_sent=*/false, now);
  }
  Status written = WriteAll(store, agents, ledger, audit);
  if (written.ok()) written = store.Commit();
  if (written.ok()) return out;
  store.Rollback();
  return std::move(written).error();
}

}  // namespace holdfast::backend
