#include "agent/verbs/journal_tail.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>

#include "agent/tables/places.h"

namespace holdfast::agent {
namespace {

constexpr std::uint64_t kSecondUs = 1'000'000;
// How far back it looks for the last lines, until there are enough: a journal may have gigabytes.
constexpr std::array<std::uint64_t, 4> kWindowsUs = {600 * kSecondUs, 6 * 3600 * kSecondUs,
                                                     7 * 24 * 3600 * kSecondUs, UINT64_MAX};

// An entry has the time at which journald took it, and is in the file a moment later.
constexpr std::uint64_t kLateUs = 5 * kSecondUs;

enum FieldAt : std::size_t { kHost, kIdentifier, kComm, kPid, kSyslogPid, kMessage };
constexpr std::string_view kLineFields[] = {"_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM",
                                            "_PID",      "SYSLOG_PID",        "MESSAGE"};

std::string Digits(std::int64_t number, std::size_t count) {
  std::string text = std::to_string(number);
  return text.size() < count ? std::string(count - text.size(), '0') + text : text;
}

// "2026-11-30T12:00:00+0000"
std::string UtcTime(std::uint64_t unix_s) {
  constexpr std::int64_t kDay = 86'400;
  const auto seconds = static_cast<std::int64_t>(unix_s);
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(seconds / kDay)))};
  const std::int64_t of_day = seconds % kDay;
  return Digits(static_cast<int>(date.year()), 4) + "-" +
         Digits(static_cast<unsigned>(date.month()), 2) + "-" +
         Digits(static_cast<unsigned>(date.day()), 2) + "T" + Digits(of_day / 3600, 2) + ":" +
         Digits(of_day / 60 % 60, 2) + ":" + Digits(of_day % 60, 2) + "+0000";
}

}  // namespace

std::string JournalLine(const JournalEntry& entry) {
  const auto field = [&entry](std::size_t at) {
    return at < entry.values.size() && entry.values[at] ? *entry.values[at] : std::string();
  };
  std::string line = UtcTime(entry.realtime_us / kSecondUs);
  const std::string identifier = field(kIdentifier).empty() ? field(kComm) : field(kIdentifier);
  const std::string pid = field(kPid).empty() ? field(kSyslogPid) : field(kPid);
  line += " " + field(kHost) + " " + (identifier.empty() ? "unknown" : identifier);
  if (!pid.empty()) line += "[" + pid + "]";
  line += ": ";
  const std::string indent(line.size(), ' ');
  for (const char c : field(kMessage)) {
    line += c;
    if (c == '\n') line += indent;
  }
  if (!entry.left_out.empty()) line += " (" + entry.left_out + ")";
  return line + "\n";
}

std::vector<JournalTail::File> JournalTail::Files() {
  std::vector<File> files;
  for (const std::string_view place : {"/var/log/journal", "/run/log/journal"}) {
    for (const std::string& directory : SortedNames(machine_, std::string(place))) {
      const std::string within = JoinPath(place, directory);
      for (const std::string& name : SortedNames(machine_, within)) {
        if (!name.ends_with(".journal") && !name.ends_with(".journal~")) continue;
        File file;
        file.path = JoinPath(within, name);
        const auto stat = machine_.Stat(file.path, Links::kFollow);
        if (!stat.ok()) continue;
        file.identity = IdentityOf(stat.value());
        file.is_set_aside = name.ends_with('~') || name.find('@') != std::string::npos;
        files.push_back(std::move(file));
      }
    }
  }
  return files;
}

// Adds the last `most` of what is new; entries come in order, so the oldest give way.
void JournalTail::Take(JournalFile& file, const JournalQuery& query, std::size_t most, Known& known,
                       std::uint64_t after, std::vector<Line>& lines) const {
  std::deque<Line> last;
  std::size_t bytes = 0;
  JournalCursor cursor(file, query);
  JournalEntry entry;
  while (cursor.Next(entry)) {
    if (entry.seqnum <= after) continue;
    known.last_us = std::max(known.last_us, entry.realtime_us);
    known.last_seqnum = std::max(known.last_seqnum, entry.seqnum);
    if (most == 0) continue;
    last.push_back({entry.realtime_us, entry.seqnum, JournalLine(entry)});
    bytes += last.back().text.size();
    while (last.size() > most || bytes > kMaxJournalTailBytes) {
      bytes -= last.front().text.size();
      last.pop_front();
    }
  }
  std::move(last.begin(), last.end(), std::back_inserter(lines));
}

Status JournalTail::Read(const File& file, std::uint64_t from_us, std::size_t most,
                         std::vector<Line>& lines) {
  Known& known = known_[{file.identity.device, file.identity.inode}];
  HF_ASSIGN_OR_RETURN(auto reader, machine_.OpenRegular(file.path));
  HF_ASSIGN_OR_RETURN(JournalFile journal, JournalFile::Open(std::move(reader)));
  JournalQuery query;
  query.from_us = std::max(from_us, known.last_us);
  query.fields = kLineFields;
  if (choice_.levels > 0) {
    query.matches.push_back({.field = "PRIORITY",
                             .text = std::nullopt,
                             .from = 0,
                             .to = std::int64_t{choice_.levels} - 1});
  }
  const std::uint64_t after = known.last_seqnum;
  if (choice_.unit.empty()) {
    Take(journal, query, most, known, after, lines);
  } else {
    JournalQuery own = query;
    own.matches.push_back({.field = "_SYSTEMD_UNIT", .text = choice_.unit});
    Take(journal, own, most, known, after, lines);
    // What systemd itself says of it; from others it would be a claim.
    query.matches.push_back({.field = "UNIT", .text = choice_.unit});
    query.matches.push_back({.field = "_PID", .text = "1"});
    Take(journal, query, most, known, after, lines);
  }
  known.is_final = file.is_set_aside;
  return Ok();
}

namespace {

template <typename Lines>
std::string Joined(Lines& lines, std::size_t most) {
  std::ranges::stable_sort(lines, {},
                           [](const auto& line) { return std::pair(line.at_us, line.seqnum); });
  std::string text;
  for (std::size_t i = lines.size() - std::min(most, lines.size()); i < lines.size(); ++i) {
    text += lines[i].text;
  }
  return text;
}

}  // namespace

Result<std::string> JournalTail::Last(std::size_t most) {
  const std::vector<File> files = Files();
  if (files.empty()) return Error{Code::kNotFound, "there is no journal of systemd here"};
  std::vector<Line> lines;
  for (const std::uint64_t window : kWindowsUs) {
    lines.clear();
    known_.clear();
    Status first_failure = Ok();
    bool is_read = false;
    for (const File& file : files) {
      const Status read = Read(file, began_us_ - std::min(window, began_us_), most, lines);
      is_read = is_read || read.ok();
      if (!read.ok() && first_failure.ok()) {
        first_failure = Error{read.error().code, file.path + ": " + read.error().message};
      }
    }
    if (!is_read) return first_failure.error();
    if (lines.size() >= most) break;
  }
  return Joined(lines, most);
}

std::string JournalTail::Added() {
  std::vector<Line> lines;
  for (const File& file : Files()) {
    const auto known = known_.find({file.identity.device, file.identity.inode});
    // Set aside still: the number of a file that was removed is soon another's.
    if (known != known_.end() && known->second.is_final && file.is_set_aside) continue;
    (void)Read(file, began_us_ - std::min(kLateUs, began_us_), SIZE_MAX, lines);
  }
  return Joined(lines, lines.size());
}

}  // namespace holdfast::agent
