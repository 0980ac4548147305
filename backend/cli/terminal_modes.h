// TerminalModes: what a terminal was switched to by what it was shown, and how that is undone.
//
// A program that is cut off in the middle leaves the other screen, a hidden cursor, mouse reports; the person who is
// left with the terminal would have to type `reset` blindly. Looks only for ESC [ ? NUMBER ; ... h and l; everything else
// passes by.
//
//   OnOutput(bytes in pieces of any size) --> Undo()
//
// Limits:    the modes of kModes; a sequence longer than kMaxSequenceBytes is none.
// Threading: thread-compatible.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::cli {

class TerminalModes {
 public:
  void OnOutput(std::string_view bytes);
  // Empty: it is as it was.
  std::string Undo() const;

 private:
  // xterm's "ctlseqs", DEC private modes: cursor keys, cursor shown, the other screen, mouse, focus, pasting.
  static constexpr std::array<int, 14> kModes = {1,    25,   47,   1000, 1002, 1003, 1004,
                                                 1005, 1006, 1015, 1047, 1049, 2004, 2026};
  static constexpr std::size_t kMaxSequenceBytes = 64;
  static constexpr int kCursorShown = 25;

  void Apply(bool is_set);

  enum class At : unsigned char { kText, kEscape, kBracket, kNumbers };
  At at_ = At::kText;
  std::string numbers_;
  std::array<bool, kModes.size()> differs_{};  // from how a terminal begins
};

}  // namespace holdfast::cli
