// shell_history: what users typed, as their shells and interpreters keep it.
#include <array>

#include "agent/tables/history_files.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"uid", kB, "Account whose home holds the history", kAdditional},
    {"time", kI, "Unix s; 0 when the history keeps no times"},
    {"command", kT, "The line that was typed"},
    {"history_file", kT, "The file"},
};

struct History {
  std::string_view name;
  HistoryFormat format;
};
constexpr std::array<History, 13> kHistories = {{
    {".bash_history", HistoryFormat::kShell},
    {".zsh_history", HistoryFormat::kShell},
    {".zhistory", HistoryFormat::kShell},
    {".history", HistoryFormat::kShell},
    {".sh_history", HistoryFormat::kShell},
    {".ash_history", HistoryFormat::kShell},
    {".local/share/fish/fish_history", HistoryFormat::kFish},
    {".python_history", HistoryFormat::kLines},
    {".mysql_history", HistoryFormat::kLines},
    {".psql_history", HistoryFormat::kLines},
    {".sqlite_history", HistoryFormat::kLines},
    {".node_repl_history", HistoryFormat::kLines},
    {".lesshst", HistoryFormat::kLines},
}};

void Read(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const std::string text = ReadText(machine, place.path);
  HistoryReader reader(text, kHistories[static_cast<std::size_t>(place.kind)].format);
  HistoryEntry entry;
  while (reader.Next(entry)) {
    rows.Begin().Integer(place.uid).Integer(entry.time).Text(entry.command).Text(place.path);
  }
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  std::array<std::string_view, kHistories.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kHistories[i].name;
  return RowsOf(HomePlaces(machine, request.EqualText(0), names), request, machine, Read);
}

}  // namespace

const Table kShellHistoryTable = {
    .name = "shell_history",
    .description =
        "What the histories of shells (bash, zsh, fish, ...), Python, Node, databases and "
        "less keep of each local account.",
    .example =
        "SELECT username, time, command FROM users JOIN shell_history USING (uid) WHERE "
        "command LIKE '%curl%';",
    .cost = Cost::kHomes,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
