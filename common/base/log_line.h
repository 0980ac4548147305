// LogLine: one structured line of a log, as key=value pairs (logfmt).
//
//   LogLine(LogLevel::kInfo, "link_opened").Id("agent", id.hex()).Num("links", 3).str()
//   -> level=info event=link_opened agent=6f1c... links=3
//
// Builds the text only; who writes it adds the time and the process. Values are always escaped, so
// a line is one line whatever an endpoint puts into it. Events are static snake_case words.
//
// Limits:    a text value is cut at 256 bytes.
// Threading: a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/untrusted.h"

namespace holdfast {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };
std::string_view ToString(LogLevel level);

class LogLine {
 public:
  LogLine(LogLevel level, std::string_view event);
  // Our own word or hex; quoted and escaped only if it is neither after all.
  LogLine& Id(std::string_view key, std::string_view plain);
  LogLine& Num(std::string_view key, std::int64_t value);
  LogLine& Text(std::string_view key, const Untrusted& value);
  LogLine& Text(std::string_view key, std::string value);
  LogLine& Err(const Error& error);  // code= and error=
  LogLevel level() const { return level_; }
  const std::string& str() const { return line_; }

 private:
  LogLevel level_;
  std::string line_;
};

}  // namespace holdfast
