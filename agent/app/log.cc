#include "agent/app/log.h"

#include <array>
#include <cstdio>
#include <ctime>

#include <unistd.h>

namespace holdfast::agent {
namespace {

// Set once at start, before anything is logged.
LogLevel least_level = LogLevel::kInfo;
const char* process_name = "warden";

}  // namespace

void SetLogLevel(LogLevel least) { least_level = least; }
LogLevel CurrentLogLevel() { return least_level; }
void SetLogProcess(const char* name) { process_name = name; }

void WriteLogLine(const LogLine& line) {
  if (line.level() < least_level) return;
  timespec at{};
  ::clock_gettime(CLOCK_REALTIME, &at);
  std::tm utc{};
  ::gmtime_r(&at.tv_sec, &utc);
  std::array<char, 96> head{};
  const int length =
      std::snprintf(head.data(), head.size(), "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ proc=%s ",
                    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                    utc.tm_sec, at.tv_nsec / 1'000'000, process_name);
  std::string text(head.data(), static_cast<std::size_t>(length > 0 ? length : 0));
  text.append(line.str());
  if (!text.ends_with('\n')) text.push_back('\n');
  // One write: lines of two processes do not mix. A full pipe loses a line, never the agent.
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

}  // namespace holdfast::agent
