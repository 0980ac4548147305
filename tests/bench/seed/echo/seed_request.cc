#include "tests/bench/seed/echo/seed_request.h"

#include <charconv>

namespace holdfast::bench {
namespace {

void SkipSpace(std::string_view& text) {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  text.remove_prefix(at == std::string_view::npos ? text.size() : at);
}

bool Take(std::string_view& text, std::string_view word) {
  SkipSpace(text);
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

}  // namespace

std::optional<std::uint32_t> ParseSeedRequest(std::string_view text) {
  if (!Take(text, "{") || !Take(text, "\"c\"") || !Take(text, ":")) return std::nullopt;
  SkipSpace(text);
  std::uint32_t c = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), c);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!Take(text, "}")) return std::nullopt;
  SkipSpace(text);
  return text.empty() ? std::optional(c) : std::nullopt;
}

std::string AnswerText(std::uint32_t c, std::uint64_t unix_seconds) {
  std::string answer = R"({"c":)";
  answer += std::to_string(c);
  answer += R"(,"ts":)";
  answer += std::to_string(unix_seconds);
  answer += '}';
  return answer;
}

}  // namespace holdfast::bench
