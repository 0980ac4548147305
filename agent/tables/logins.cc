// logged_in_users, last, wtmp, btmp: who is, was and tried to be on the machine.
#include "agent/tables/login_records.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxRecordBytes = std::size_t{64} << 20;  // some 170,000 logins per file

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kNowColumns[] = {
    {"type", kT, "user, login, init, boot_time, runlevel, dead, ..."},
    {"user", kT, "Name of the user"},
    {"tty", kT, "Terminal"},
    {"host", kT, "Host that the user came from"},
    {"time", kB, "Since when, Unix s"},
    {"pid", kI, "Process id of the login"},
};

constexpr Column kLastColumns[] = {
    {"username", kT, "Name of the user"},
    {"tty", kT, "Terminal"},
    {"pid", kI, "Process id of the login"},
    {"type", kI, "Number of the kind of record: 7 login, 8 logout, ..."},
    {"type_name", kT, "user, dead, boot_time, runlevel, ..."},
    {"time", kI, "When, Unix s"},
    {"host", kT, "Host that the user came from"},
};

constexpr Column kRecordColumns[] = {
    {"path", kT, "File; another one is read when it is named (=)", kIndex},
    {"record", kB, "Position in the file, from 0"},
    {"type", kI, "Number of the kind of record"},
    {"type_name", kT, "user, dead, boot_time, runlevel, login, ..."},
    {"username", kT, "Name of the user; of a failed login what was typed"},
    {"tty", kT, "Terminal, or service"},
    {"id", kT, "Short name of the terminal"},
    {"pid", kB, "Process id of the login"},
    {"session", kB, "Session id"},
    {"host", kT, "Host that the user came from; of boot_time the kernel's release"},
    {"address", kT, "IP address of the host; NULL for none"},
    {"exit_status", kI, "Exit status of a process that ended"},
    {"exit_signal", kI, "Signal that ended it"},
    {"time", kB, "When, Unix s"},
    {"microseconds", kI, "Beyond it"},
};

// Record by record of files that are read one after another.
class RecordRows : public RowSource {
 public:
  using Fill = bool (*)(const LoginRecord& record, Row& row);
  RecordRows(Machine& machine, std::vector<std::string> paths, Fill fill)
      : machine_(machine), paths_(std::move(paths)), fill_(fill) {}

  bool Next(Row& row) override {
    LoginRecord record;
    while (true) {
      while (NextLoginRecord(rest_, record)) {
        const std::int64_t number = number_++;
        if (!fill_(record, row)) continue;
        if (row.size() == std::size(kRecordColumns)) {
          row[0] = paths_[next_ - 1];
          row[1] = number;
        }
        return true;
      }
      if (next_ == paths_.size()) return false;
      text_ = ReadOr(machine_, paths_[next_++], kMaxRecordBytes);
      rest_ = text_;
      number_ = 0;
    }
  }

 private:
  Machine& machine_;
  std::vector<std::string> paths_;
  Fill fill_;
  std::size_t next_ = 0;  // of paths_
  std::string text_;
  std::string_view rest_;  // of text_
  std::int64_t number_ = 0;
};

bool FillNow(const LoginRecord& record, Row& row) {
  if (record.pid == 1) return false;  // as osquery
  row[0] = Text(LoginTypeName(record.type));
  row[1] = record.user;
  row[2] = record.line;
  row[3] = record.host;
  row[4] = record.time;
  row[5] = record.pid;
  return true;
}

bool FillLast(const LoginRecord& record, Row& row) {
  row[0] = record.user;
  row[1] = record.line;
  row[2] = record.pid;
  row[3] = Integer(record.type);
  row[4] = Text(LoginTypeName(record.type));
  row[5] = record.time;
  row[6] = record.host;
  return true;
}

bool FillRecord(const LoginRecord& record, Row& row) {
  row[2] = Integer(record.type);
  row[3] = Text(LoginTypeName(record.type));
  row[4] = record.user;
  row[5] = record.line;
  row[6] = record.id;
  row[7] = record.pid;
  row[8] = record.session;
  row[9] = record.host;
  row[10] = TextOrNull(record.address);
  row[11] = Integer(record.exit_status);
  row[12] = Integer(record.exit_signal);
  row[13] = record.time;
  row[14] = record.microseconds;
  return true;
}

Result<std::unique_ptr<RowSource>> Records(Machine& machine, std::vector<std::string> paths,
                                           RecordRows::Fill fill) {
  return std::unique_ptr<RowSource>(std::make_unique<RecordRows>(machine, std::move(paths), fill));
}

// systemd-logind's, where no utmp is written any more: one file a session, KEY=value.
void FillSessions(const Request&, Machine& machine, TableRows& rows) {
  const std::string directory = "/run/systemd/sessions/";
  const auto names = machine.List(directory);
  if (!names.ok()) return;
  for (const std::string& name : names.value()) {
    if (name.ends_with(".ref")) continue;  // a FIFO that says whether the session lives
    const std::string text = ReadOr(machine, directory + name);
    const std::string_view user = ValueOf(text, "USER");
    if (user.empty()) continue;
    const auto microseconds = ParseInt(ValueOf(text, "REALTIME"));
    rows.Begin().Text(ValueOf(text, "CLASS").starts_with("greeter") ? "login" : "user").Text(user);
    rows.Text(ValueOf(text, "TTY")).Text(ValueOf(text, "REMOTE_HOST"));
    rows.IntOrNull(microseconds ? std::optional(*microseconds / 1'000'000) : std::nullopt);
    rows.IntOrNull(ParseInt(ValueOf(text, "LEADER")));
  }
}

Result<std::unique_ptr<RowSource>> OpenNow(const Request& request, Machine& machine) {
  for (const char* path : {"/run/utmp", "/var/run/utmp"}) {
    if (machine.Stat(path, Links::kFollow).ok()) return Records(machine, {path}, FillNow);
  }
  return OpenFilled<kNowColumns, FillSessions>(request, machine);
}

Result<std::unique_ptr<RowSource>> OpenLast(const Request&, Machine& machine) {
  return Records(machine, {"/var/log/wtmp"}, FillLast);
}

// The file and the one that logrotate kept of it, or the one that is named.
Result<std::unique_ptr<RowSource>> OpenRecords(const Request& request, Machine& machine,
                                               const std::string& usual) {
  const auto named = request.EqualText(0);
  if (named && !named->starts_with('/')) return Records(machine, {}, FillRecord);
  if (named) return Records(machine, {*named}, FillRecord);
  return Records(machine, {usual + ".1", usual}, FillRecord);
}

Result<std::unique_ptr<RowSource>> OpenWtmp(const Request& request, Machine& machine) {
  return OpenRecords(request, machine, "/var/log/wtmp");
}
Result<std::unique_ptr<RowSource>> OpenBtmp(const Request& request, Machine& machine) {
  return OpenRecords(request, machine, "/var/log/btmp");
}

}  // namespace

const Table kLoggedInUsersTable = {
    .name = "logged_in_users",
    .description = "Who is logged in, by the records of utmp; where none are kept, by systemd's.",
    .example = "SELECT user, tty, host, time FROM logged_in_users WHERE type = 'user';",
    .cost = Cost::kAccounts,
    .columns = kNowColumns,
    .open = OpenNow,
};

const Table kLastTable = {
    .name = "last",
    .description = "Logins, logouts and starts that /var/log/wtmp remembers.",
    .example = "SELECT username, host, time FROM last WHERE type_name = 'user';",
    .cost = Cost::kAccounts,
    .columns = kLastColumns,
    .open = OpenLast,
};

const Table kWtmpTable = {
    .name = "wtmp",
    .description = "All that the records of wtmp and wtmp.1 hold. Not in osquery.",
    .example = "SELECT username, address, time FROM wtmp WHERE path = '/var/log/wtmp.1';",
    .cost = Cost::kAccounts,
    .columns = kRecordColumns,
    .open = OpenWtmp,
};

const Table kBtmpTable = {
    .name = "btmp",
    .description = "Failed logins of btmp and btmp.1; no rows without root. Not in osquery.",
    .example = "SELECT username, host, count(*) AS times FROM btmp GROUP BY 1, 2;",
    .cost = Cost::kAccounts,
    .columns = kRecordColumns,
    .open = OpenBtmp,
};

}  // namespace holdfast::agent
