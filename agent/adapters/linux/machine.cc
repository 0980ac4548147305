#include "agent/adapters/linux/machine.h"

#include <array>
#include <ctime>
#include <string_view>

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/adapters/linux/small_file.h"
#include "common/base/utf8.h"

namespace holdfast::agent {
namespace {

std::uint64_t Millis(clockid_t clock) {
  timespec at{};
  ::clock_gettime(clock, &at);
  return static_cast<std::uint64_t>(at.tv_sec) * 1000 +
         static_cast<std::uint64_t>(at.tv_nsec) / 1'000'000;
}

// PRETTY_NAME of os-release(5).
std::string OsName() {
  std::string text = ReadSmallFile("/etc/os-release").value_or("");
  if (text.empty()) text = ReadSmallFile("/usr/lib/os-release").value_or("");
  constexpr std::string_view kKey = "PRETTY_NAME=";
  std::size_t at = text.starts_with(kKey) ? 0 : text.find("\nPRETTY_NAME=");
  if (at == std::string::npos) return "Linux";
  at = text.find('=', at) + 1;
  std::string value = text.substr(at, text.find('\n', at) - at);
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'')) {
    value = value.substr(1, value.size() - 2);
  }
  return value;
}

}  // namespace

Moment ReadClocks() {
  // Boot time counts while the machine sleeps: a deadline that passed then is due on waking.
  const auto now = static_cast<std::int64_t>(Millis(CLOCK_BOOTTIME));
  return {TimePoint(Duration(now)),
          WallTime(Millis(CLOCK_REALTIME) + 1)};  // never 0: that is "unset"
}

::holdfast::command::v1::AgentFacts ReadMachineFacts(std::string_view version) {
  utsname name{};
  ::uname(&name);
  ::holdfast::command::v1::AgentFacts facts;
  facts.set_hostname(Utf8Prefix(name.nodename, 253));
  facts.set_os(Utf8Prefix(OsName(), 128));
  facts.set_arch(Utf8Prefix(name.machine, 32));
  facts.set_version(Utf8Prefix(version, 32));
  facts.set_kernel(Utf8Prefix(name.release, 128));
  facts.set_privileged(::geteuid() == 0);
  return facts;
}

Digest MachineFingerprint(const sign::Crypto& crypto) {
  utsname name{};
  ::uname(&name);
  std::string all = "holdfast machine v1";
  for (const std::string& part :
       {ReadSmallFile("/etc/machine-id").value_or(""), std::string(name.machine),
        ReadSmallFile("/sys/class/dmi/id/product_uuid").value_or(""),
        ReadSmallFile("/sys/class/dmi/id/board_serial").value_or("")}) {
    all.push_back('\0');
    all.append(part);
  }
  return crypto.Sha256(all);
}

}  // namespace holdfast::agent
