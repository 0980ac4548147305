// A line of syslog as rsyslog and syslogd write it: with a time of RFC 3339, or the older "Nov 30 04:10:45".
//
// Ownership: views into the line.
// Threading: pure functions.
// Errors:    what has no known form is all message.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::agent {

struct AuthLogLine {
  std::optional<std::int64_t> time;  // Unix s
  std::string_view timestamp;
  std::string_view host;
  std::string_view process;
  std::optional<std::int64_t> pid;
  std::string_view message;
};
AuthLogLine ParseAuthLogLine(std::string_view line);

// RFC 3339 to Unix s; nullopt for what is none.
std::optional<std::int64_t> ParseRfc3339(std::string_view text);

}  // namespace holdfast::agent
