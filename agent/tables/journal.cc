// journal: what systemd's journal holds. Ours: osquery has no such table.
#include "agent/tables/journal_file.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Marks kNumber = kAdditional | kRange;

constexpr Column kColumns[] = {
    {"time", kB, "When the journal took the entry, Unix s", kNumber},
    {"microseconds", kI, "Beyond it"},
    {"monotonic", kB, "The same since the boot, microseconds"},
    {"boot_id", kT, "Id of the boot, 32 hex digits", kAdditional},
    {"seqnum", kB, "Number of the entry in its file and those before it"},
    {"path", kT, "The file; another one is read when it is named (=)", kIndex},
    {"left_out", kT, "What of the entry could not be read; NULL for nothing"},
    {"host", kT, "Name of the host"},
    {"unit", kT, "Unit of systemd that wrote it, e.g. ssh.service", kAdditional},
    {"about_unit", kT, "Unit that systemd itself says something of", kAdditional},
    {"user_unit", kT, "Unit of a user's systemd that wrote it", kAdditional},
    {"identifier", kT, "Name that the program gives itself, e.g. sshd", kAdditional},
    {"transport", kT, "How it came: journal, syslog, stdout, kernel, audit, driver", kAdditional},
    {"message_id", kT, "Id of the kind of message, 32 hex digits", kAdditional},
    {"message", kT, "The message"},
    {"comm", kT, "Name of the program, as the kernel keeps it"},
    {"exe", kT, "Path of the program"},
    {"cmdline", kT, "Its arguments"},
    {"priority", kI, "0: emergency ... 3: error, 4: warning, 6: information, 7: debug", kNumber},
    {"facility", kI, "Facility of syslog: 4 and 10 are of logins"},
    {"pid", kB, "Process that wrote it", kAdditional},
    {"uid", kB, "Its user", kAdditional},
    {"gid", kB, "Its group"},
};
enum ColumnAt : std::size_t {
  kTime,
  kMicroseconds,
  kMonotonic,
  kBoot,
  kSeqnum,
  kPath,
  kLeftOut,
  kFirstField,
};
// Fields of the columns from kFirstField on.
constexpr std::string_view kFields[] = {"_HOSTNAME",
                                        "_SYSTEMD_UNIT",
                                        "UNIT",
                                        "_SYSTEMD_USER_UNIT",
                                        "SYSLOG_IDENTIFIER",
                                        "_TRANSPORT",
                                        "MESSAGE_ID",
                                        "MESSAGE",
                                        "_COMM",
                                        "_EXE",
                                        "_CMDLINE",
                                        "PRIORITY",
                                        "SYSLOG_FACILITY",
                                        "_PID",
                                        "_UID",
                                        "_GID"};
static_assert(std::size(kColumns) == kFirstField + std::size(kFields));

// A bound in Unix s in the journal's microseconds.
std::uint64_t Microseconds(std::int64_t seconds, std::uint64_t beyond) {
  constexpr std::int64_t kMost = INT64_MAX / 1'000'000 - 1;
  if (seconds > kMost) return UINT64_MAX;
  return seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds) * 1'000'000 + beyond;
}

class EntryRows : public RowSource {
 public:
  EntryRows(const Request& request, Machine& machine) : machine_(machine) {
    const Request::Span time = request.SpanOf(kTime);
    query_.from_us = Microseconds(time.from, 0);
    query_.to_us = Microseconds(time.to, 999'999);
    if (time.to < 0) return;  // no file: nothing is that old
    AddMatch(request, kBoot, "_BOOT_ID");
    for (std::size_t i = 0; i < std::size(kFields); ++i) {
      const std::size_t column = kFirstField + i;
      if (request.Uses(column)) {
        wanted_.push_back(kFields[i]);
        wanted_columns_.push_back(column);
      }
      AddMatch(request, column, kFields[i]);
    }
    FindFiles(request.EqualText(kPath));
  }

  bool Next(Row& row) override {
    while (!cursor_ || !cursor_->Next(entry_)) {
      cursor_.reset();
      if (next_ == paths_.size()) return false;
      OpenFile(paths_[next_++]);
    }
    Fill(row);
    return true;
  }

 private:
  void AddMatch(const Request& request, std::size_t column, std::string_view field) {
    if ((kColumns[column].marks & kRange) != 0) {
      const Request::Span span = request.SpanOf(column);
      if (span.from == INT64_MIN && span.to == INT64_MAX) return;
      query_.matches.push_back(
          {.field = field, .text = std::nullopt, .from = span.from, .to = span.to});
    } else if (auto text = request.EqualText(column)) {
      query_.matches.push_back({.field = field, .text = std::move(*text)});
    }
  }

  void FindFiles(const std::optional<std::string>& wanted) {
    if (wanted) {
      paths_.push_back(*wanted);
      return;
    }
    for (const std::string_view place : {"/var/log/journal", "/run/log/journal"}) {
      for (const std::string& directory : SortedNames(machine_, std::string(place))) {
        AddFilesIn(JoinPath(place, directory));
      }
    }
  }

  void AddFilesIn(const std::string& directory) {
    for (const std::string& name : SortedNames(machine_, directory)) {
      // '~': set aside, as it was not closed properly.
      if (name.ends_with(".journal") || name.ends_with(".journal~")) {
        paths_.push_back(JoinPath(directory, name));
      }
    }
  }

  void OpenFile(const std::string& path) {
    auto reader = machine_.OpenRegular(path);
    if (!reader.ok()) return;
    auto file = JournalFile::Open(std::move(reader).value());
    if (!file.ok()) {
      machine_.Note(path + ": " + file.error().message);
      return;
    }
    path_ = path;
    file_ = std::move(file).value();
    query_.fields = wanted_;
    cursor_.emplace(*file_, query_);
  }

  void Fill(Row& row) {
    row[kTime] = Integer(entry_.realtime_us / 1'000'000);
    row[kMicroseconds] = Integer(entry_.realtime_us % 1'000'000);
    row[kMonotonic] = Integer(entry_.monotonic_us);
    row[kBoot] = std::move(entry_.boot_id);
    row[kSeqnum] = Integer(entry_.seqnum);
    row[kPath] = path_;
    row[kLeftOut] = TextOrNull(entry_.left_out);
    for (std::size_t i = 0; i < wanted_columns_.size(); ++i) {
      const std::size_t column = wanted_columns_[i];
      std::optional<std::string>& value = entry_.values[i];
      if (!value) continue;
      if (kColumns[column].type == kT) {
        row[column] = std::move(*value);
      } else {
        row[column] = IntegerOrNull(ParseInt(*value));
      }
    }
  }

  Machine& machine_;
  JournalQuery query_;
  std::vector<std::string_view> wanted_;  // fields
  std::vector<std::size_t> wanted_columns_;
  std::vector<std::string> paths_;
  std::size_t next_ = 0;
  std::string path_;  // that is open
  std::optional<JournalFile> file_;
  std::optional<JournalCursor> cursor_;  // of file_
  JournalEntry entry_;
};

}  // namespace

const Table kJournalTable = {
    .name = "journal",
    .description =
        "Entries of systemd's journal, in /var/log/journal and /run/log/journal, read from its "
        "files. Not in osquery.",
    .example =
        "SELECT datetime(time, 'unixepoch') AS at, unit, message FROM journal WHERE priority <= 3 "
        "AND time > (SELECT unix_time - 86400 FROM time);",
    .cost = Cost::kLogs,
    .columns = kColumns,
    .open = OpenRows<EntryRows>,
};

}  // namespace holdfast::agent
