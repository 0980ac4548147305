#include "agent/tables/regex.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "agent/tables/byte_set.h"
#include "agent/tables/text.h"

namespace holdfast::agent {

// Writes the program while it reads the pattern: each of its functions takes what it is named after.
class RegexParser {
 public:
  RegexParser(std::string_view pattern, Regex& out) : rest_(pattern), out_(out) {}

  // What is wrong with the pattern; null when nothing is.
  const char* Run() {
    Emit(Regex::Op::kSave, 0);
    if (Alternatives(0)) {
      if (!rest_.empty()) (void)Bad("a ) without its (");
      Emit(Regex::Op::kSave, 1);
      Emit(Regex::Op::kMatch);
      (void)CheckSize();
    }
    return error_;
  }

 private:
  using Op = Regex::Op;
  using Program = std::vector<Regex::Instruction>;
  static constexpr int kUnbounded = -1;
  static constexpr int kMaxRepeats = 1000;  // {m,n}

  bool Bad(const char* what) {
    if (error_ == nullptr) error_ = what;
    return false;
  }

  void Emit(Op op, int a = 0, int b = 0) {
    out_.program_.push_back(
        {.op = op, .a = static_cast<std::int16_t>(a), .b = static_cast<std::int16_t>(b)});
  }
  void EmitSet(const ByteSet& set) {
    Emit(Op::kSet, static_cast<int>(out_.sets_.size()));
    out_.sets_.push_back(set);
  }
  bool CheckSize() {
    if (out_.program_.size() > Regex::kMaxInstructions) return Bad("too many parts or repeats");
    return true;
  }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  char Next() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  Program CutFrom(std::size_t start) {
    Program code(out_.program_.begin() + static_cast<std::ptrdiff_t>(start), out_.program_.end());
    out_.program_.resize(start);
    return code;
  }
  void Append(const Program& code) {
    out_.program_.insert(out_.program_.end(), code.begin(), code.end());
  }

  bool Alternatives(int depth) {
    const std::size_t start = out_.program_.size();
    if (!Sequence(depth)) return false;
    while (Take('|')) {
      const Program first = CutFrom(start);
      const int size = static_cast<int>(first.size());
      Emit(Op::kSplit, 1, size + 2);
      Append(first);
      const std::size_t jump = out_.program_.size();
      Emit(Op::kJump);
      const std::size_t second = out_.program_.size();
      if (!Sequence(depth)) return false;
      out_.program_[jump].a = static_cast<std::int16_t>(out_.program_.size() - second + 1);
      if (!CheckSize()) return false;
    }
    return true;
  }

  bool Sequence(int depth) {
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      const std::size_t start = out_.program_.size();
      if (!Atom(depth)) return false;
      if (!Quantifier(start)) return false;
      if (!CheckSize()) return false;
    }
    return true;
  }

  bool Atom(int depth) {
    const char c = Next();
    switch (c) {
      case '(': return Group(depth + 1);
      case '[': return Bracket();
      case '.': EmitSet(AllButLineEnds()); return true;
      case '^': Emit(Op::kBegin); return true;
      case '$': Emit(Op::kEnd); return true;
      case '*':
      case '+':
      case '?': return Bad("a repeat of nothing");
      case '\\': return Escape();
      default: break;
    }
    ByteSet set = {};
    Put(set, static_cast<unsigned char>(c));
    EmitSet(set);
    return true;
  }

  bool Group(int depth) {
    if (depth > Regex::kMaxDepth) return Bad("too many ( inside each other");
    bool captures = true;
    if (Take('?')) {
      if (!Take(':')) return Bad("look-around or another (? that is not known");
      captures = false;
    }
    const std::size_t group = out_.groups_;
    if (captures) {
      if (group == Regex::kMaxGroups) return Bad("more than nine groups; (?: ) is not counted");
      ++out_.groups_;
      Emit(Op::kSave, static_cast<int>(2 * group));
    }
    if (!Alternatives(depth)) return false;
    if (!Take(')')) return Bad("a ( without its )");
    if (captures) Emit(Op::kSave, static_cast<int>(2 * group + 1));
    return true;
  }

  bool Escape() {
    if (rest_.empty()) return Bad("a \\ at its end");
    if (Take('b')) {
      Emit(Op::kWord);
      return true;
    }
    if (Take('B')) {
      Emit(Op::kNotWord);
      return true;
    }
    if (rest_.front() >= '1' && rest_.front() <= '9') return Bad("a back reference");
    ByteSet set = {};
    if (!EscapedSet(set)) return false;
    EmitSet(set);
    return true;
  }

  // What follows a '\', inside and outside of [ ].
  bool EscapedSet(ByteSet& set) {
    const char c = Next();
    if (const auto named = NamedSet(c)) {
      set = *named;
      return true;
    }
    unsigned char byte = static_cast<unsigned char>(c);
    switch (c) {
      case 'n': byte = '\n'; break;
      case 'r': byte = '\r'; break;
      case 't': byte = '\t'; break;
      case 'f': byte = '\f'; break;
      case 'v': byte = '\v'; break;
      case '0': byte = 0; break;
      case 'x': {
        const auto hex = ParseUint(rest_.substr(0, 2), 16);
        if (!hex || rest_.size() < 2) return Bad("a \\x without two hex digits");
        byte = static_cast<unsigned char>(*hex);
        rest_.remove_prefix(2);
        break;
      }
      default:
        if (IsWordByte(c)) return Bad("an escaped letter that is not known");
    }
    Put(set, byte);
    return true;
  }

  // One member of [ ], a set or a single byte; `byte` is set for the latter.
  bool Member(ByteSet& set, std::optional<unsigned>& byte) {
    const char c = Next();
    if (c == '[' && !rest_.empty() && rest_.front() == ':') {
      const std::size_t end = rest_.find(":]");
      if (end != std::string_view::npos) {
        const auto named = PosixSet(rest_.substr(1, end - 1));
        if (!named) return Bad("a [: :] that is not known");
        set = *named;
        rest_.remove_prefix(end + 2);
        return true;
      }
    }
    if (c == '\\' && Take('b')) {
      byte = '\b';
    } else if (c == '\\') {
      if (rest_.empty()) return Bad("a \\ at its end");
      const bool named = NamedSet(rest_.front()).has_value();
      if (!EscapedSet(set)) return false;
      if (named) return true;
      for (unsigned i = 0; i < 256; ++i) {
        if (Has(set, static_cast<char>(i))) byte = i;
      }
    } else {
      byte = static_cast<unsigned char>(c);
    }
    Put(set, static_cast<unsigned char>(*byte));
    return true;
  }

  bool Bracket() {
    const bool inverse = Take('^');
    ByteSet all = {};
    while (!Take(']')) {
      if (rest_.empty()) return Bad("a [ without its ]");
      ByteSet set = {};
      std::optional<unsigned> from;
      if (!Member(set, from)) return false;
      const bool range = from && rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']';
      if (range) {
        rest_.remove_prefix(1);
        ByteSet ignored = {};
        std::optional<unsigned> to;
        if (!Member(ignored, to)) return false;
        if (!to || *to < *from) return Bad("a range that ends before it begins");
        PutRange(set, *from, *to);
      }
      Merge(all, set);
    }
    EmitSet(inverse ? Inverse(all) : all);
    return true;
  }

  // {m}, {m,} or {m,n} behind the '{'; false, and nothing taken, when it is none.
  bool Counts(int& least, int& most) {
    const std::size_t end = rest_.find('}');
    if (end == std::string_view::npos) return false;
    std::string_view inside = rest_.substr(0, end);
    const bool comma = inside.find(',') != std::string_view::npos;
    const auto first = ParseUint(NextField(inside, ','));
    const auto second = ParseUint(inside);
    if (!first || (!inside.empty() && !second)) return false;
    least = static_cast<int>(std::min<std::uint64_t>(*first, kMaxRepeats + 1));
    most = !comma           ? least
           : inside.empty() ? kUnbounded
                            : static_cast<int>(std::min<std::uint64_t>(*second, kMaxRepeats + 1));
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool Quantifier(std::size_t start) {
    int least = 1;
    int most = 1;
    if (Take('*')) {
      least = 0;
      most = kUnbounded;
    } else if (Take('+')) {
      most = kUnbounded;
    } else if (Take('?')) {
      least = 0;
    } else if (!Take('{')) {
      return true;
    } else if (!Counts(least, most)) {
      return Bad("a { that is no {m,n}");
    }
    const bool lazy = Take('?');
    if (least > kMaxRepeats || most > kMaxRepeats) return Bad("a repeat of more than 1000");
    if (most != kUnbounded && most < least) return Bad("a range that ends before it begins");
    const Program once = CutFrom(start);
    const auto size = static_cast<int>(once.size());
    const auto split = [&](int into, int past) {
      Emit(Op::kSplit, lazy ? past : into, lazy ? into : past);
    };
    const auto repeats = static_cast<std::size_t>(std::max(least, most) + 1);
    if (repeats * (once.size() + 1) > Regex::kMaxInstructions) {
      return Bad("too many parts or repeats");
    }
    for (int i = 0; i < least; ++i) Append(once);
    if (most == kUnbounded) {
      split(1, size + 2);
      Append(once);
      Emit(Op::kJump, -(size + 1));
    }
    for (int i = least; i < most; ++i) {
      split(1, (most - i) * (size + 1));
      Append(once);
    }
    return true;
  }

  std::string_view rest_;
  Regex& out_;
  const char* error_ = nullptr;
};

Result<Regex> Regex::Compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return Error{Code::kInvalid,
                 "the pattern has more than " + std::to_string(kMaxPatternBytes) + " bytes"};
  }
  Regex regex;
  if (const char* wrong = RegexParser(pattern, regex).Run()) {
    return Error{Code::kInvalid, std::string("the pattern has ") + wrong};
  }
  return regex;
}

bool Regex::Holds(Op op, std::string_view text, std::uint32_t where) const {
  if (op == Op::kBegin) return where == 0;
  if (op == Op::kEnd) return where == text.size();
  const bool before = where > 0 && IsWordByte(text[where - 1]);
  const bool after = where < text.size() && IsWordByte(text[where]);
  return (before != after) == (op == Op::kWord);
}

// Follows what takes no byte, in the order of preference. As deep as the program has splits.
void Regex::Add(Threads& threads, std::size_t at, std::string_view text, std::uint32_t where,
                Match& match) const {
  while (threads.seen[at] != where + 1) {
    threads.seen[at] = where + 1;
    const Instruction& next = program_[at];
    switch (next.op) {
      case Op::kJump: at += static_cast<std::size_t>(std::ptrdiff_t{next.a}); break;
      case Op::kSplit:
        Add(threads, at + static_cast<std::size_t>(std::ptrdiff_t{next.a}), text, where, match);
        at += static_cast<std::size_t>(std::ptrdiff_t{next.b});
        break;
      case Op::kSave: {
        const auto end = static_cast<std::size_t>(next.a);
        const std::uint32_t before = std::exchange(match[end], where);
        Add(threads, at + 1, text, where, match);
        match[end] = before;
        return;
      }
      case Op::kSet:
      case Op::kMatch: threads.list.push_back({.at = at, .match = match}); return;
      default:
        if (!Holds(next.op, text, where)) return;
        ++at;
    }
  }
}

bool Regex::Search(std::string_view text, std::size_t from, Match& match) const {
  text = text.substr(0, kMaxTextBytes);
  if (from > text.size()) return false;
  Threads now;
  Threads then;
  now.seen.resize(program_.size());
  then.seen.resize(program_.size());
  bool found = false;
  Match fresh;
  fresh.fill(kNowhere);
  for (auto where = static_cast<std::uint32_t>(from); where <= text.size(); ++where) {
    if (!found) Add(now, 0, text, where, fresh);
    if (found && now.list.empty()) break;
    for (Thread& thread : now.list) {
      const Instruction& next = program_[thread.at];
      if (next.op == Op::kMatch) {
        match = thread.match;
        found = true;
        break;  // what comes behind is liked less
      }
      if (where < text.size() && Has(sets_[static_cast<std::size_t>(next.a)], text[where])) {
        Add(then, thread.at + 1, text, where + 1, thread.match);
      }
    }
    std::swap(now, then);
    then.list.clear();
  }
  return found;
}

}  // namespace holdfast::agent
