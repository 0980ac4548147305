#include "agent/tables/login_records.h"

#include <array>
#include <cstring>

#include <utmp.h>

#include "agent/tables/netlink_messages.h"

namespace holdfast::agent {
namespace {

template <std::size_t kSize>
std::string Field(const char (&bytes)[kSize]) {
  const std::string_view all(bytes, kSize);
  return std::string(all.substr(0, all.find('\0')));
}

}  // namespace

bool NextLoginRecord(std::string_view& rest, LoginRecord& record) {
  utmp raw;
  if (rest.size() < sizeof raw) return false;
  std::memcpy(&raw, rest.data(), sizeof raw);
  rest.remove_prefix(sizeof raw);
  record.type = raw.ut_type;
  record.pid = raw.ut_pid;
  record.line = Field(raw.ut_line);
  record.id = Field(raw.ut_id);
  record.user = Field(raw.ut_user);
  record.host = Field(raw.ut_host);
  record.exit_status = raw.ut_exit.e_exit;
  record.exit_signal = raw.ut_exit.e_termination;
  record.session = raw.ut_session;
  // 32 bits where they are signed and last until 2038: taken as unsigned they last until 2106.
  record.time = sizeof raw.ut_tv.tv_sec == 4
                    ? static_cast<std::int64_t>(static_cast<std::uint32_t>(raw.ut_tv.tv_sec))
                    : static_cast<std::int64_t>(raw.ut_tv.tv_sec);
  record.microseconds = raw.ut_tv.tv_usec;
  const std::string_view address(reinterpret_cast<const char*>(raw.ut_addr_v6),
                                 sizeof raw.ut_addr_v6);
  const bool is_v4 = address.find_first_not_of('\0', 4) == std::string_view::npos;
  const bool none = is_v4 && raw.ut_addr_v6[0] == 0;
  record.address = none ? std::string() : AddressText(address.substr(0, is_v4 ? 4 : 16));
  return true;
}

std::string_view LoginTypeName(int type) {
  constexpr std::array<std::string_view, 10> kNames = {
      "empty", "runlevel", "boot_time", "new_time", "old_time",
      "init",  "login",    "user",      "dead",     "accounting"};
  const auto at = static_cast<std::size_t>(type);
  return at < kNames.size() ? kNames[at] : "unknown";
}

}  // namespace holdfast::agent
