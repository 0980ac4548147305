#include "tests/bench/seed/client/seed_answer.h"

#include <charconv>

namespace holdfast::bench {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  void SkipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool Take(char wanted) {
    SkipSpace();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  // A member's name; no name of ours needs an escape.
  std::optional<std::string_view> Name() {
    if (!Take('"')) return std::nullopt;
    const char* const begin = at_;
    while (at_ != end_ && *at_ != '"') ++at_;
    const std::string_view name(begin, static_cast<std::size_t>(at_ - begin));
    return Take('"') && Take(':') ? std::optional(name) : std::nullopt;
  }
  std::optional<std::uint64_t> Number() {
    SkipSpace();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(at_, end_, number);
    if (error != std::errc()) return std::nullopt;
    at_ = end;
    return number;
  }
  bool at_end() {
    SkipSpace();
    return at_ == end_;
  }

 private:
  const char* at_;
  const char* const end_;
};

}  // namespace

std::optional<SeedAnswer> ParseSeedAnswer(std::string_view text) {
  Reader reader(text);
  std::optional<std::uint64_t> c;
  std::optional<std::uint64_t> ts;
  if (!reader.Take('{')) return std::nullopt;
  do {
    const auto name = reader.Name();
    if (!name) return std::nullopt;
    std::optional<std::uint64_t>* const member = *name == "c" ? &c : *name == "ts" ? &ts : nullptr;
    if (member == nullptr || member->has_value()) return std::nullopt;
    *member = reader.Number();
    if (!*member) return std::nullopt;
  } while (reader.Take(','));
  if (!reader.Take('}') || !reader.at_end() || !c || !ts) return std::nullopt;
  return SeedAnswer{*c, *ts};
}

}  // namespace holdfast::bench
