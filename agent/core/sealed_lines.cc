#include "agent/core/sealed_lines.h"

#include <charconv>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kSeal = "crc ";

std::string SealOf(std::string_view bytes) {
  const std::uint32_t crc = Crc32c(bytes);
  std::string big_endian;
  for (int shift = 24; shift >= 0; shift -= 8) {
    big_endian.push_back(static_cast<char>(crc >> shift & 0xFF));
  }
  return std::string(kSeal) + ToHex(big_endian) + "\n";
}

}  // namespace

std::string Sealed(std::string text) {
  text += SealOf(text);
  return text;
}

Status EachLine(std::string_view text, std::string_view head,
                const std::function<bool(std::string_view, std::string_view)>& take) {
  const Error corrupt{Code::kCorrupt, "it is damaged"};
  const std::size_t sealed = text.rfind(kSeal);
  if (!text.starts_with(head) || sealed == std::string_view::npos || sealed < head.size() ||
      text.substr(sealed) != SealOf(text.substr(0, sealed))) {
    return corrupt;
  }
  std::string_view rest = text.substr(head.size(), sealed - head.size());
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::size_t space = rest.find(' ');
    if (end == std::string_view::npos || space == std::string_view::npos || space > end ||
        !take(rest.substr(0, space), rest.substr(space + 1, end - space - 1))) {
      return corrupt;
    }
    rest.remove_prefix(end + 1);
  }
  return Ok();
}

std::optional<std::int64_t> RecordNumber(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole ? std::optional(value) : std::nullopt;
}

std::optional<Digest> RecordDigest(std::string_view hex) {
  const auto bytes = FromHex(hex);
  return bytes.ok() ? Digest::From(bytes.value()) : std::nullopt;
}

}  // namespace holdfast::agent
