#include "agent/app/link_log.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <string>

#include <unistd.h>

namespace holdfast::agent {

void Log(const LogLine& line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  std::array<char, 40> stamp{};
  std::strftime(stamp.data(), stamp.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 64> head{};
  std::snprintf(head.data(), head.size(), "ts=%s.%03ldZ proc=link ", stamp.data(),
                now.tv_nsec / 1000000);
  // One write, so that lines of several processes do not mix.
  const std::string text = head.data() + line.str() + "\n";
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
}

}  // namespace holdfast::agent
