// isolation: whether this machine's network is closed, from the record of the agent (agent/core/isolation_record.h).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"state", kT, "held, or trial: its rules stand, and the link has yet to prove itself"},
    {"since", kB, "Unix s"},
    {"until", kB, "Unix s, by the clock when it was last written down, at most 5 min ago"},
    {"seconds_left", kB, "From now on"},
    {"allow", kT, "Networks that may pass beside the link, with blanks between"},
    {"job", kT, "Digest of the command"},
};

constexpr std::int64_t kMsPerSecond = 1000;

struct Found {
  std::string_view state;  // empty: none yet
  std::string_view job;
  std::int64_t since_ms = 0;
  std::int64_t left_ms = 0;
  std::string allow;
};

void AddRow(const Found& found, std::int64_t written_ms, std::int64_t now, TableRows& rows) {
  if (found.state.empty()) return;
  const std::int64_t until = (written_ms + found.left_ms) / kMsPerSecond;
  rows.Begin().Text(found.state).Int(found.since_ms / kMsPerSecond).Int(until).Int(until - now);
  rows.Text(found.allow).Text(found.job);
}

void FillIsolation(const Request&, Machine& machine, TableRows& rows) {
  const SystemFacts facts = machine.Facts();
  if (facts.agent_state.empty()) return;
  const std::string text = ReadOr(machine, facts.agent_state + "/isolation");
  std::int64_t written_ms = 0;
  Found found;
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const std::string_view key = NextField(line, ' ');
    if (key == "wall") written_ms = ParseInt(line).value_or(0);
    if (key == "held" || key == "trial") {
      AddRow(found, written_ms, facts.unix_time, rows);
      found = {.state = key, .job = line, .allow = {}};
    }
    if (key == "since") found.since_ms = ParseInt(line).value_or(0);
    if (key == "left") found.left_ms = ParseInt(line).value_or(0);
    if (key == "allow") found.allow.append(found.allow.empty() ? "" : " ").append(line);
  }
  AddRow(found, written_ms, facts.unix_time, rows);
}

}  // namespace

const Table kIsolationTable = {
    .name = "isolation",
    .description =
        "Whether the machine's network is closed but for the agent's link (holdfast isolate); "
        "no row if not. Not in osquery.",
    .example = "SELECT state, datetime(until, 'unixepoch') AS until, allow FROM isolation;",
    .cost = Cost::kFixed,
    .columns = kColumns,
    .open = OpenFilled<kColumns, FillIsolation>,
};

}  // namespace holdfast::agent
