// Regex: regular expressions as ECMAScript writes them, in a time that only grows with pattern times
// text (decisions/0065).
//
//   alternatives, ( ) (?: ), * + ? {m,n} and their lazy forms, . [ ] with ranges and [:names:],
//   ^ $ \b \B, \d \w \s and their opposites, \n \r \t \f \v \0 \xHH. Of bytes: no case folding, and a
//   character of UTF-8 is as many "." as it has bytes. No back references, no look-around: refused.
//
// Ordering:  the leftmost match; of those the one that the pattern's order prefers.
// Limits:    kMaxPatternBytes, kMaxGroups, kMaxInstructions, kMaxDepth; kMaxTextBytes are looked at.
// Threading: Search() is const and may run in parallel.
// Errors:    kInvalid: not a pattern, or one beyond the limits; the message says what.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/tables/byte_set.h"
#include "common/base/result.h"

namespace holdfast::agent {

class Regex {
 public:
  static constexpr std::size_t kMaxPatternBytes = 1024;
  static constexpr std::size_t kMaxGroups = 10;          // the whole match and nine ( )
  static constexpr std::size_t kMaxInstructions = 2048;  // after {m,n} are written out
  static constexpr int kMaxDepth = 32;                   // of ( ( ( ) ) )
  static constexpr std::size_t kMaxTextBytes = 64 * 1024;
  static constexpr std::uint32_t kNowhere = UINT32_MAX;

  // Begin and end of each group; kNowhere when it had no part in the match.
  using Match = std::array<std::uint32_t, 2 * kMaxGroups>;

  static Result<Regex> Compile(std::string_view pattern);
  // The first match that begins at `from` or after it.
  bool Search(std::string_view text, std::size_t from, Match& match) const;
  std::size_t groups() const { return groups_; }

 private:
  friend class RegexParser;
  enum class Op : std::uint8_t {
    kSet,
    kSplit,
    kJump,
    kSave,
    kBegin,
    kEnd,
    kWord,
    kNotWord,
    kMatch
  };
  // Jumps are relative, so that a piece of a program can be repeated as it is.
  struct Instruction {
    Op op = Op::kMatch;
    std::int16_t a = 0;  // kSet: which set; kSave: which end; kJump, kSplit: where to, first choice
    std::int16_t b = 0;  // kSplit: second choice
  };
  struct Thread {
    std::size_t at;
    Match match;
  };
  struct Threads {
    std::vector<Thread> list;
    std::vector<std::uint32_t> seen;  // position + 1 at which an instruction was added
  };
  void Add(Threads& threads, std::size_t at, std::string_view text, std::uint32_t where,
           Match& match) const;
  bool Holds(Op op, std::string_view text, std::uint32_t where) const;

  std::vector<Instruction> program_;
  std::vector<ByteSet> sets_;
  std::size_t groups_ = 1;
};

}  // namespace holdfast::agent
