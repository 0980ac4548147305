#include "backend/core/introduction.h"

#include <algorithm>
#include <array>

namespace holdfast::backend {
namespace {

constexpr std::size_t kMaxWordBytes = 128;  // kMaxIntroductionBytes holds three

bool IsName(std::string_view word) {
  return !word.empty() && word.size() <= kMaxWordBytes &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-';
         });
}

}  // namespace

std::string EncodeIntroduction(const Introduction& introduction) {
  return introduction.slot + "\n" + introduction.instance + "\n" + introduction.program + "\n";
}

std::optional<Introduction> DecodeIntroduction(std::string_view bytes) {
  if (bytes.size() > kMaxIntroductionBytes) return std::nullopt;
  std::array<std::string_view, 3> words;
  for (std::string_view& word : words) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    word = bytes.substr(0, end);
    if (!IsName(word)) return std::nullopt;
    bytes.remove_prefix(end + 1);
  }
  if (!bytes.empty()) return std::nullopt;
  return Introduction{std::string(words[0]), std::string(words[1]), std::string(words[2])};
}

}  // namespace holdfast::backend
