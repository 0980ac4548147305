// crontab: what cron starts, of the machine and of users.
#include "agent/tables/cron_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;

constexpr Column kColumns[] = {
    {"event", kT, "@reboot, @daily, ...; empty for a time in fields"},
    {"minute", kT, "Minutes"},
    {"hour", kT, "Hours"},
    {"day_of_month", kT, "Days of the month"},
    {"month", kT, "Months"},
    {"day_of_week", kT, "Days of the week"},
    {"command", kT, "The command; in /etc/crontab and /etc/cron.d the user stands before it"},
    {"path", kT, "The file"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

void Read(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const auto job = ParseCronLine(line);
    if (!job) continue;
    rows.Begin().Text(job->event);
    for (const std::string_view field : job->fields) rows.Text(field);
    rows.Text(job->command).Text(place.path).Integer(0);
  }
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  return RowsOf(CronFiles(machine), request, machine, Read);
}

}  // namespace

std::optional<CronJob> ParseCronLine(std::string_view line) {
  line = Trim(line);
  if (line.empty() || line.front() == '#') return std::nullopt;
  CronJob job;
  if (line.front() == '@') {
    job.event = NextWord(line);
  } else {
    // NAME = value sets a variable; no field of a time holds a '='.
    for (std::string_view& field : job.fields) {
      field = NextWord(line);
      if (field.find('=') != std::string_view::npos) return std::nullopt;
    }
  }
  job.command = Trim(line);
  if (job.command.empty()) return std::nullopt;
  return job;
}

std::vector<Place> CronFiles(Machine& machine) {
  std::vector<Place> files;
  AddPlace(files, "/etc/crontab", 1);
  struct Directory {
    std::string_view path;
    int kind;
  };
  constexpr Directory kDirectories[] = {
      {"/etc/cron.d", 1}, {"/var/spool/cron", 0}, {"/var/spool/cron/crontabs", 0}};
  for (const auto& [path, kind] : kDirectories) {
    for (const std::string& name : SortedNames(machine, std::string(path))) {
      files.push_back({.path = JoinPath(path, name),
                       .uid = 0,
                       .user = kind == 0 ? name : std::string(),
                       .kind = kind});
    }
  }
  return files;
}

const Table kCrontabTable = {
    .name = "crontab",
    .description = "Jobs of cron: /etc/crontab, /etc/cron.d and the crontabs of users.",
    .example = "SELECT path, minute, hour, event, command FROM crontab;",
    .cost = Cost::kAccounts,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
