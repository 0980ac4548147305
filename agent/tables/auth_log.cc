// auth_log: what the system's log files say of logins, sudo and the like. Ours: osquery has no such table.
#include "agent/tables/auth_log_lines.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"time", kB,
     "Unix s; NULL where the log has the old form, which names neither the year nor the zone"},
    {"timestamp", kT, "The time as it is written"},
    {"host", kT, "Name of the host"},
    {"process", kT, "sshd, sudo, su, cron, ..."},
    {"pid", kI, "Its process id; NULL when not written"},
    {"message", kT, "The rest of the line"},
    {"path", kT, "The file; compressed ones are not read", kIndex},
};
enum ColumnAt : std::size_t { kPath = 6 };

class LogRows : public RowSource {
 public:
  LogRows(std::vector<std::string> paths, Machine& machine)
      : paths_(std::move(paths)), machine_(machine) {}

  bool Next(Row& row) override {
    std::string_view line;
    while (true) {
      while (!NextLine(rest_, line)) {
        if (next_ == paths_.size()) return false;
        path_ = paths_[next_++];
        text_ = ReadText(machine_, path_);
        rest_ = text_;
      }
      if (!line.empty()) break;
    }
    const AuthLogLine entry = ParseAuthLogLine(line);
    RowList rows;
    rows.Begin().Value(IntegerOrNull(entry.time)).Text(entry.timestamp).Text(entry.host);
    rows.Text(entry.process).Value(IntegerOrNull(entry.pid)).Text(entry.message).Text(path_);
    row = rows.Take(0);
    return true;
  }

 private:
  std::vector<std::string> paths_;
  Machine& machine_;
  std::size_t next_ = 0;
  std::string path_;
  std::string text_;
  std::string_view rest_;  // of text_
};

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  const auto wanted = request.EqualText(kPath);
  std::vector<std::string> paths;
  for (const std::string& name : SortedNames(machine, "/var/log")) {
    const bool ours = name.starts_with("auth.log") || name.starts_with("secure");
    std::string path = JoinPath("/var/log", name);
    if (!ours || name.ends_with(".gz") || name.ends_with(".xz") || (wanted && path != *wanted)) {
      continue;
    }
    paths.push_back(std::move(path));
  }
  return std::unique_ptr<RowSource>(std::make_unique<LogRows>(std::move(paths), machine));
}

}  // namespace

const Table kAuthLogTable = {
    .name = "auth_log",
    .description =
        "Lines of /var/log/auth.log and /var/log/secure, older ones that are not compressed "
        "too; 16 MiB of each. Not osquery's.",
    .example =
        "SELECT timestamp, process, regex_match(message, 'from (\\S+) port', 1) AS source FROM "
        "auth_log WHERE message LIKE 'Failed password%';",
    .cost = Cost::kLogs,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent
