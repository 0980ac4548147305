#include "common/base/log_line.h"

#include <algorithm>
#include <utility>

namespace holdfast {
namespace {

bool IsPlain(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-.:/+@,").find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string_view ToString(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarn: return "warn";
    case LogLevel::kError: return "error";
  }
  HF_UNREACHABLE("a LogLevel outside its enum");
}

LogLine::LogLine(LogLevel level, std::string_view event) : level_(level), line_("level=") {
  line_.append(ToString(level)).append(" event=").append(event);
}

LogLine& LogLine::Id(std::string_view key, std::string_view plain) {
  if (!IsPlain(plain)) return Text(key, Untrusted(std::string(plain)));
  line_.append(" ").append(key).append("=").append(plain);
  return *this;
}

LogLine& LogLine::Num(std::string_view key, std::int64_t value) {
  line_.append(" ").append(key).append("=").append(std::to_string(value));
  return *this;
}

LogLine& LogLine::Text(std::string_view key, const Untrusted& value) {
  line_.append(" ").append(key).append("=\"").append(ForLog(value)).append("\"");
  return *this;
}

LogLine& LogLine::Text(std::string_view key, std::string value) {
  return Text(key, Untrusted(std::move(value)));
}

LogLine& LogLine::Err(const Error& error) {
  return Id("code", ToString(error.code)).Text("error", error.message);
}

}  // namespace holdfast
