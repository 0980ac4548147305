// time and osquery_info: one row each.
#include <chrono>

#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;

constexpr Column kTimeColumns[] = {
    {"weekday", kT, "Monday, ...; all in UTC"},
    {"year", kI, "Year"},
    {"month", kI, "Month, 1 to 12"},
    {"day", kI, "Day of the month"},
    {"hour", kI, "Hour"},
    {"minutes", kI, "Minutes"},
    {"seconds", kI, "Seconds"},
    {"timezone", kT, "Always UTC"},
    {"local_timezone", kT, "Abbreviation of the machine's time zone"},
    {"unix_time", kI, "Unix s"},
    {"timestamp", kT, "As asctime writes it"},
    {"datetime", kT, "As ISO 8601 writes it"},
    {"iso_8601", kT, "The same"},
};

std::string TwoDigits(std::int64_t number) {
  std::string text = std::to_string(number);
  return number < 10 ? "0" + text : text;
}

void FillTime(const Request&, Machine& machine, TableRows& rows) {
  const SystemFacts facts = machine.Facts();
  constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::chrono::sys_seconds now{std::chrono::seconds(facts.unix_time)};
  const auto midnight = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(midnight);
  const std::string_view weekday = kDays[std::chrono::weekday(midnight).c_encoding()];
  const auto second = (now - midnight).count();
  const int year = static_cast<int>(date.year());
  const auto month = static_cast<unsigned>(date.month());
  const auto day = static_cast<unsigned>(date.day());
  const std::string clock =
      TwoDigits(second / 3600) + ":" + TwoDigits(second / 60 % 60) + ":" + TwoDigits(second % 60);
  std::string stamp(weekday.substr(0, 3));
  stamp.append(" ").append(kMonths.substr((month - 1) * 3, 3)).append(day < 10 ? "  " : " ");
  stamp.append(std::to_string(day)).append(" ").append(clock).append(" ");
  stamp.append(std::to_string(year)).append(" UTC");
  const std::string iso =
      std::to_string(year) + "-" + TwoDigits(month) + "-" + TwoDigits(day) + "T" + clock + "Z";
  rows.Begin().Text(weekday).Int(year).Int(month).Int(day).Int(second / 3600);
  rows.Int(second / 60 % 60).Int(second % 60).Text("UTC").Text(facts.time_zone);
  rows.Int(facts.unix_time).Text(stamp).Text(iso).Text(iso);
}

constexpr Column kInfoColumns[] = {
    {"pid", kI, "Process that answers"},
    {"uuid", kT, "Machine id"},
    {"instance_id", kT, "Always NULL: the agent keeps none"},
    {"version", kT, "Version of Holdfast's agent, with +holdfast: this is not osquery"},
    {"config_hash", kT, "Always NULL: there is no configuration of osquery's"},
    {"config_valid", kI, "Always 0: there is no configuration of osquery's"},
    {"extensions", kT, "Always inactive: nothing can be loaded"},
    {"build_platform", kT, "Always linux"},
    {"build_distro", kT, "Always static: one program for any distribution"},
    {"start_time", kI, "When the process that answers was started, Unix s"},
    {"watcher", kI, "Process that watches the one that answers"},
    {"platform_mask", kI, "Always 9: POSIX and Linux"},
};

void FillInfo(const Request&, Machine& machine, TableRows& rows) {
  const SystemFacts facts = machine.Facts();
  const auto boot = ParseBootTime(ReadOr(machine, "/proc/stat", kMaxProcFileBytes));
  const auto stat = ParseProcStat(ReadOr(machine, ProcPath(facts.pid, "stat")));
  rows.Begin().Int(facts.pid).TextOrNull(ReadValue(machine, "/etc/machine-id")).Skip();
  rows.Text(HOLDFAST_VERSION "+holdfast").Skip().Int(0).Text("inactive").Text("linux");
  rows.Text("static");
  if (boot && stat) {
    rows.Int(*boot + static_cast<std::int64_t>(stat->start_ticks) / facts.ticks_per_second);
  } else {
    rows.Skip();
  }
  rows.IntOrNull(stat ? std::optional(stat->parent) : std::nullopt).Int(9);
}

}  // namespace

const Table kTimeTable = {
    .name = "time",
    .description = "The machine's clock.",
    .example = "SELECT unix_time, iso_8601, local_timezone FROM time;",
    .cost = Cost::kFixed,
    .columns = kTimeColumns,
    .open = OpenFilled<kTimeColumns, FillTime>,
};

const Table kOsqueryInfoTable = {
    .name = "osquery_info",
    .description = "What answers in osquery's place: Holdfast's agent.",
    .example = "SELECT version, pid, start_time FROM osquery_info;",
    .cost = Cost::kFixed,
    .columns = kInfoColumns,
    .open = OpenFilled<kInfoColumns, FillInfo>,
};

}  // namespace holdfast::agent
