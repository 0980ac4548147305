// holdfast audit
#include <deque>

#include "backend/cli/commands.h"
#include "backend/cli/listings.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/audit_chain.h"
#include "common/base/bytes.h"

namespace holdfast::cli {
namespace {

namespace api = ::holdfast::api::v1;
constexpr std::size_t kShortDigits = 8;  // of ids in the table: it fits 80 columns

int Verify(const Call& call, sdk::Client& client) {
  sdk::AuditChain chain(call.crypto);
  Status checked =
      client.Audit(0, "", [&](const api::AuditRecord& record) { return chain.OnRecord(record); });
  if (!checked.ok()) return call.console.Fail(checked.error());
  call.console.Out(std::to_string(chain.count()) + " records, one unbroken chain\nlast hash " +
                   chain.head().hex() + "\n");
  return kExitOk;
}

}  // namespace

std::vector<RecordColumn> AuditColumns(Format format) {
  using Fit = TextTable::Fit;
  if (format == Format::kTable) {
    return {{"seq", true, Fit::kWhole, 2},
            {"at (UTC)"},
            {"actor"},
            {"action"},
            {"job", true, Fit::kWhole, 1},
            {"agent", true, Fit::kWhole, 3},
            {"detail", true, Fit::kWraps}};
  }
  return {{"seq"},      {"at_ms"},  {"actor"},     {"action"}, {"digest"},
          {"agent_id"}, {"detail"}, {"prev_hash"}, {"hash"}};
}

std::vector<Cell> AuditCells(Format format, const api::AuditRecord& record) {
  if (format == Format::kTable) {
    // An actor that is an agent stands as its id; people know agents by the beginning of it.
    const bool is_agent = record.actor() == ToHex(record.agent_id());
    const std::string at = FormatTime(WallTime(record.at_ms()));
    return {Cell::Count(record.seq()),
            Cell::Text(at.substr(0, at.rfind(' '))),
            Cell::Text(is_agent ? record.actor().substr(0, kShortDigits) : record.actor()),
            Cell::Text(record.action()),
            Cell::Text(ToHex(record.digest()).substr(0, kShortDigits)),
            Cell::Text(ToHex(record.agent_id()).substr(0, kShortDigits)),
            Cell::Text(record.detail())};
  }
  return {Cell::Count(record.seq()),          Cell::Count(record.at_ms()),
          Cell::Text(record.actor()),         Cell::Text(record.action()),
          Cell::Text(ToHex(record.digest())), Cell::Text(ToHex(record.agent_id())),
          Cell::Text(record.detail()),        Cell::Text(ToHex(record.prev_hash())),
          Cell::Text(ToHex(record.hash()))};
}

int RunAudit(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  sdk::Client& client = *session.value()->client;
  if (call.options.verify) return Verify(call, client);
  std::string digest;
  if (!call.options.path.empty()) {
    auto detail = client.Command(call.options.path);
    if (!detail.ok()) return call.console.Fail(detail.error());
    digest = detail.value().summary().digest();
  }
  const Format format = call.options.format;
  RecordPrinter printer(call.console, format, AuditColumns(format));
  std::deque<api::AuditRecord> last;  // with --limit
  const std::uint32_t limit = call.options.limit;
  Status listed = client.Audit(0, digest, [&](const api::AuditRecord& record) {
    if (limit == 0) {
      printer.Add(AuditCells(format, record));
      return Ok();
    }
    last.push_back(record);
    if (last.size() > limit) last.pop_front();
    return Ok();
  });
  for (const auto& record : last) printer.Add(AuditCells(format, record));
  printer.Finish();
  return listed.ok() ? kExitOk : call.console.Fail(listed.error());
}

}  // namespace holdfast::cli
