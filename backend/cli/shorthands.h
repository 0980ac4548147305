// The words that stand for a query or for a program, so that nobody has to remember its SQL or options
// (docs/verbs.md). What is signed is the query, or the exec.
//
// Threading: constants and a pure function.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

struct Shorthand {
  const char* word;
  const char* text;      // what it answers
  std::string_view sql;  // with "PID" where takes_pid
  bool takes_pid = false;
};

inline constexpr std::array<Shorthand, 10> kShorthands = {{
    {"env", "The environment of a process", "SELECT key, value FROM process_envs WHERE pid = PID",
     true},
    {"mounts", "The mounted file systems, and how full they are",
     "SELECT path, device, type, blocks * blocks_size AS size, "
     "blocks_available * blocks_size AS available, flags FROM mounts"},
    {"netstat", "The sockets, and whose they are",
     "SELECT s.protocol, s.local_address, s.local_port, s.remote_address, s.remote_port, s.state, "
     "s.pid, p.name FROM process_open_sockets s LEFT JOIN processes p USING (pid) "
     "WHERE s.family IN (2, 10)"},
    {"listening", "The ports that are listened on, and who does",
     "SELECT l.address, l.port, l.protocol, l.pid, p.name, p.path FROM listening_ports l "
     "LEFT JOIN processes p USING (pid) WHERE l.port > 0"},
    {"routes", "The routing table",
     "SELECT destination, netmask, gateway, interface, metric, type FROM routes"},
    {"users", "The accounts",
     "SELECT uid, gid, username, description, directory, shell FROM users"},
    {"who", "Who is logged in",
     "SELECT user, tty, host, datetime(time, 'unixepoch') AS since, pid FROM logged_in_users "
     "WHERE type = 'user'"},
    {"services", "The services of systemd, from their files",
     "SELECT id, active_state, unit_file_state, fragment_path FROM systemd_units "
     "WHERE id LIKE '%.service'"},
    {"isolation", "Whether the endpoint is isolated, and until when",
     "SELECT state, datetime(since, 'unixepoch') AS since, datetime(until, 'unixepoch') AS until, "
     "seconds_left, allow, job FROM isolation"},
    {"packages", "The packages of dpkg and rpm",
     "SELECT name, version, arch FROM deb_packages UNION ALL "
     "SELECT name, version || '-' || release, arch FROM rpm_packages"},
}};

// A program of the endpoint that is given one name, where `argument` says what that is.
struct ProgramWord {
  const char* word;
  const char* text;
  const char* argument;             // "USER"; null: none
  std::array<const char*, 5> argv;  // the name comes behind; null: no more
  bool asks_first = false;          // even for one host
};

inline constexpr std::array<ProgramWord, 5> kProgramWords = {{
    {"restart", "Restart the machine, a minute from now", nullptr, {"shutdown", "-r", "+1"}, true},
    {"shutdown",
     "Shut the machine down, a minute from now",
     nullptr,
     {"shutdown", "-h", "+1"},
     true},
    // An account that has expired takes no key either; a locked password alone does.
    {"lock-user",
     "Lock an account: no password, no key lets in",
     "USER",
     {"usermod", "--lock", "--expiredate", "1", "--"}},
    {"unlock-user",
     "Unlock an account; it then never expires",
     "USER",
     {"usermod", "--unlock", "--expiredate", "", "--"}},
    {"disable-unit",
     "Stop a unit of systemd, and never start it at boot",
     "UNIT",
     {"systemctl", "disable", "--now", "--"}},
}};

std::vector<std::string> ArgvOf(const ProgramWord& word, const std::string& name);

std::string SqlOf(const Shorthand& shorthand, std::int32_t pid);

}  // namespace holdfast::cli
