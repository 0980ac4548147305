// Readers of /proc/PID/{stat,status,io,cgroup}: what a process says of itself, hostile names
// included.
//
// Threading: pure functions.
// Errors:    nullopt for text that is not such a file (also a torn one); missing parts are -1 or
// empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

// proc(5): "pid (comm) state ppid pgrp ...". The name may hold spaces, parentheses and newlines: it
// ends at the last ')'.
struct ProcStat {
  std::int64_t pid = -1;
  std::string name;
  char state = '?';
  std::int64_t parent = -1;
  std::int64_t group = -1;
  std::int64_t session = -1;
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  std::int64_t nice = 0;
  std::int64_t threads = 0;
  std::uint64_t start_ticks = 0;  // since boot
};
std::optional<ProcStat> ParseProcStat(std::string_view text);

struct ProcStatus {
  std::int64_t uid = -1, euid = -1, suid = -1;
  std::int64_t gid = -1, egid = -1, sgid = -1;
  std::int64_t resident_bytes = 0;  // 0: a kernel thread
  std::int64_t virtual_bytes = 0;
};
std::optional<ProcStatus> ParseProcStatus(std::string_view text);

struct ProcIo {
  std::int64_t read_bytes = 0;
  std::int64_t written_bytes = 0;  // without what was cancelled
};
std::optional<ProcIo> ParseProcIo(std::string_view text);

// The unified hierarchy's path ("0::/path"), else the first controller's.
std::string ParseCgroupPath(std::string_view text);

// Arguments are separated by NUL: shown separated by spaces.
std::string ParseCmdline(std::string_view text);

// btime of /proc/stat: Unix s at boot; nullopt if missing.
std::optional<std::int64_t> ParseBootTime(std::string_view text);

// "net:[4026531840]", "socket:[123]": the number, if `link` has that kind.
std::optional<std::uint64_t> ParseInodeLink(std::string_view link, std::string_view kind);

}  // namespace holdfast::agent
