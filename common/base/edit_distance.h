// EditDistance: how many letters two words are apart (Levenshtein): for "did you mean".
//
// Limits:    takes time and memory of the product of the lengths; callers bound the words.
// Threading: pure function.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

inline std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// The nearest of the words that are looked at, the first of those that are equally near; empty: none is near.
class NearestWord {
 public:
  explicit NearestWord(std::string_view word)
      : word_(word), best_(std::max<std::size_t>(1, (word.size() + 1) / 3) + 1) {}
  void Look(const std::string& candidate) {
    const std::size_t distance = EditDistance(word_, candidate);
    if (distance >= best_) return;
    best_ = distance;
    found_ = candidate;
  }
  const std::string& found() const { return found_; }

 private:
  const std::string_view word_;
  std::size_t best_;  // from here on it is another word
  std::string found_;
};

}  // namespace holdfast
