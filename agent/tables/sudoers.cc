// sudoers: who may become whom, files that are included too.
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/sudoers_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;

constexpr Column kColumns[] = {
    {"source", kT, "File that holds the rule"},
    {"header", kT, "User, %group, alias, Defaults, or include and includedir"},
    {"rule_details", kT, "The rest of the rule"},
};

void Read(const Place&, const Request&, Machine& machine, RowList& rows) {
  for (const SudoersRule& rule : SudoersRules(machine)) {
    rows.Begin().Text(rule.source).Text(rule.header).Text(rule.details);
  }
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  return RowsOf({Place{}}, request, machine, Read);
}

}  // namespace

const Table kSudoersTable = {
    .name = "sudoers",
    .description = "Rules of /etc/sudoers and of what it includes. Only root may read them.",
    .example = "SELECT header, rule_details FROM sudoers WHERE rule_details LIKE '%NOPASSWD%';",
    .cost = Cost::kAccounts,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
