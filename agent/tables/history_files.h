// HistoryReader: the entries of a history file, one at a time.
//
// Ownership: borrows the text.
// Threading: thread-compatible.
// Errors:    what has no known form is an entry as it stands; no input aborts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::agent {

enum class HistoryFormat : std::uint8_t {
  kLines,  // one each
  kShell,  // bash ("#1700000000" before a line) and zsh (": 1700000000:0;command")
  kFish,   // "- cmd: command", "  when: 1700000000"
};

struct HistoryEntry {
  std::int64_t time = 0;  // Unix s; 0 when not kept
  std::string command;
};

class HistoryReader {
 public:
  HistoryReader(std::string_view text, HistoryFormat format) : rest_(text), format_(format) {}
  bool Next(HistoryEntry& entry);

 private:
  bool NextShell(HistoryEntry& entry);
  bool NextFish(HistoryEntry& entry);

  std::string_view rest_;
  HistoryFormat format_;
};

}  // namespace holdfast::agent
