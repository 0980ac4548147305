// Reader of utmp, wtmp and btmp: utmp(5) records, as this architecture's C library writes them.
//
// Threading: pure functions.
// Errors:    a torn record ends the file. Texts may be of any bytes, without a NUL at their end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::agent {

struct LoginRecord {
  int type = 0;
  std::int64_t pid = 0;
  std::string line;
  std::string id;
  std::string user;
  std::string host;
  int exit_status = 0;
  int exit_signal = 0;
  std::int64_t session = 0;
  std::int64_t time = 0;          // Unix s
  std::int64_t microseconds = 0;  // beyond it
  std::string address;            // IP address of the host; "" for none
};

// Cuts the next record off `rest`; false when no whole one is left.
bool NextLoginRecord(std::string_view& rest, LoginRecord& record);
std::string_view LoginTypeName(int type);  // "user", "boot_time", ..., "unknown"

}  // namespace holdfast::agent
