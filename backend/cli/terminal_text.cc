#include "backend/cli/terminal_text.h"

#include <utility>

#include "common/base/untrusted.h"

namespace holdfast::cli {

std::string SafeLines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("\n\t");
    // Escapes take up to four bytes for one.
    out += ForTerminal(Untrusted(std::string(text.substr(0, end))), 4 * text.size() + 4);
    if (end == std::string_view::npos) break;
    out += text[end];
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string LineCutter::Push(std::string_view bytes) {
  rest_ += bytes;
  const std::size_t newline = rest_.rfind('\n');
  if (newline == std::string::npos) return rest_.size() > kMaxLineBytes ? Flush() : "";
  std::string lines = rest_.substr(0, newline + 1);
  rest_.erase(0, newline + 1);
  return lines;
}

std::string LineCutter::Flush() { return std::exchange(rest_, ""); }

std::string PrefixLines(const std::string& prefix, std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    out += prefix;
    out += lines.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace holdfast::cli
