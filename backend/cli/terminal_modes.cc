#include "backend/cli/terminal_modes.h"

#include <charconv>

namespace holdfast::cli {
namespace {
constexpr char kEscapeByte = '\x1b';
}  // namespace

void TerminalModes::OnOutput(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == kEscapeByte) {
      at_ = At::kEscape;
      continue;
    }
    switch (at_) {
      case At::kText: break;
      case At::kEscape: at_ = c == '[' ? At::kBracket : At::kText; break;
      case At::kBracket:
        at_ = c == '?' ? At::kNumbers : At::kText;
        numbers_.clear();
        break;
      case At::kNumbers:
        if ((c >= '0' && c <= '9') || c == ';') {
          numbers_ += c;
          if (numbers_.size() > kMaxSequenceBytes) at_ = At::kText;
          break;
        }
        if (c == 'h' || c == 'l') Apply(c == 'h');
        at_ = At::kText;
        break;
    }
  }
}

void TerminalModes::Apply(bool is_set) {
  std::string_view rest = numbers_;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(';'));
    rest.remove_prefix(word.size() < rest.size() ? word.size() + 1 : rest.size());
    int number = 0;
    const auto read = std::from_chars(word.data(), word.data() + word.size(), number);
    if (read.ec != std::errc() || read.ptr != word.data() + word.size()) continue;
    for (std::size_t i = 0; i < kModes.size(); ++i) {
      if (kModes.at(i) == number) differs_.at(i) = is_set != (number == kCursorShown);
    }
  }
}

std::string TerminalModes::Undo() const {
  std::string out;
  for (std::size_t i = kModes.size(); i-- > 0;) {
    if (!differs_.at(i)) continue;
    const bool is_cursor = kModes.at(i) == kCursorShown;
    out += "\x1b[?" + std::to_string(kModes.at(i)) + (is_cursor ? "h" : "l");
  }
  return out.empty() ? out : out + "\x1b[0m";
}

}  // namespace holdfast::cli
