#include "backend/cli/escape_keys.h"

namespace holdfast::cli {

EscapeKeys::Typed EscapeKeys::Push(std::string_view keys) {
  Typed typed;
  for (const char c : keys) {
    if (after_tilde_) {
      after_tilde_ = false;
      if (c == '.') {
        typed.ends = true;
        return typed;
      }
      if (c == '?') {
        typed.wants_help = true;
        continue;
      }
      typed.keys += '~';
      at_line_start_ = false;
      if (c == '~') continue;
    }
    if (at_line_start_ && c == '~') {
      after_tilde_ = true;
      continue;
    }
    at_line_start_ = c == '\r' || c == '\n';
    typed.keys += c;
  }
  return typed;
}

}  // namespace holdfast::cli
