#include "agent/tables/proc_files.h"

#include <algorithm>
#include <array>

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

// "1000\t1000\t0\t1000": real, effective, saved, file system.
bool ParseIds(std::string_view text, std::array<std::int64_t*, 3> ids) {
  for (std::int64_t* id : ids) {
    const auto value = ParseInt(NextWord(text));
    if (!value) return false;
    *id = *value;
  }
  return true;
}

// "1234 kB"
std::int64_t ParseKilobytes(std::string_view text) {
  const auto value = ParseInt(NextWord(text));
  return value && *value >= 0 && *value < INT64_MAX / 1024 ? *value * 1024 : 0;
}

}  // namespace

std::optional<ProcStat> ParseProcStat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return std::nullopt;
  }
  ProcStat stat;
  const auto pid = ParseInt(Trim(text.substr(0, open)));
  if (!pid) return std::nullopt;
  stat.pid = *pid;
  stat.name = text.substr(open + 1, close - open - 1);
  std::string_view rest = Trim(text.substr(close + 1));
  const std::string_view state = NextWord(rest);
  if (state.size() != 1) return std::nullopt;
  stat.state = state.front();
  constexpr std::size_t kFirst = 4;  // proc(5) counts from 1: ppid is field 4
  constexpr std::size_t kLast = 22;  // starttime
  std::array<std::int64_t, kLast + 1> field = {};
  for (std::size_t i = kFirst; i <= kLast; ++i) {
    const std::string_view word = NextWord(rest);
    const auto value = ParseInt(word);
    const auto large = value ? std::nullopt : ParseUint(word);  // a few fields are unsigned
    if (!value && !large) return std::nullopt;
    field[i] = value ? *value : static_cast<std::int64_t>(*large);
  }
  stat.parent = field[4];
  stat.group = field[5];
  stat.session = field[6];
  stat.user_ticks = static_cast<std::uint64_t>(field[14]);
  stat.system_ticks = static_cast<std::uint64_t>(field[15]);
  stat.nice = field[19];
  stat.threads = field[20];
  stat.start_ticks = static_cast<std::uint64_t>(field[22]);
  return stat;
}

std::optional<ProcStatus> ParseProcStatus(std::string_view text) {
  ProcStatus status;
  const bool uids = ParseIds(ValueOf(text, "Uid"), {&status.uid, &status.euid, &status.suid});
  const bool gids = ParseIds(ValueOf(text, "Gid"), {&status.gid, &status.egid, &status.sgid});
  if (!uids || !gids) return std::nullopt;
  status.resident_bytes = ParseKilobytes(ValueOf(text, "VmRSS"));
  status.virtual_bytes = ParseKilobytes(ValueOf(text, "VmSize"));
  return status;
}

std::optional<ProcIo> ParseProcIo(std::string_view text) {
  const auto read = ParseInt(ValueOf(text, "read_bytes"));
  const auto written = ParseInt(ValueOf(text, "write_bytes"));
  if (!read || !written || *written < 0) return std::nullopt;
  const std::int64_t cancelled = ParseInt(ValueOf(text, "cancelled_write_bytes")).value_or(0);
  return ProcIo{.read_bytes = *read,
                .written_bytes = *written - std::clamp<std::int64_t>(cancelled, 0, *written)};
}

std::string ParseCgroupPath(std::string_view text) {
  std::string first;
  std::string_view line;
  while (NextLine(text, line)) {
    std::string_view path = line;
    const std::string_view id = NextField(path, ':');
    const std::string_view controllers = NextField(path, ':');
    if (id == "0" && controllers.empty()) return std::string(path);
    if (first.empty()) first = path;
  }
  return first;
}

std::string ParseCmdline(std::string_view text) {
  std::string line(text);
  while (!line.empty() && line.back() == '\0') line.pop_back();
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

std::optional<std::int64_t> ParseBootTime(std::string_view text) {
  std::string_view line;
  while (NextLine(text, line)) {
    if (NextWord(line) == "btime") return ParseInt(Trim(line));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ParseInodeLink(std::string_view link, std::string_view kind) {
  if (link.substr(0, kind.size()) != kind) return std::nullopt;
  link.remove_prefix(kind.size());
  if (link.size() < 4 || link.substr(0, 2) != ":[" || link.back() != ']') return std::nullopt;
  return ParseUint(link.substr(2, link.size() - 3));
}

}  // namespace holdfast::agent
