// Hex, base64url and fixed-size byte arrays: how ids, keys and digests are held and written.
//
// Limits:    none of their own; callers check lengths before they allocate.
// Threading: pure functions and values.
// Errors:    decoders return kInvalid for anything but canonical text.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

std::string ToHex(std::string_view bytes);           // lower case
Result<std::string> FromHex(std::string_view text);  // either case, even length
std::string ToBase64Url(std::string_view bytes);     // without padding
Result<std::string> FromBase64Url(std::string_view text);

// FixedBytes: exactly N bytes with a purpose; does not convert to another purpose.
template <typename Tag, std::size_t N>
class FixedBytes {
 public:
  static constexpr std::size_t kSize = N;
  constexpr FixedBytes() = default;  // all zero
  // nullopt unless `bytes` has exactly N bytes.
  static std::optional<FixedBytes> From(std::string_view bytes) {
    if (bytes.size() != N) return std::nullopt;
    FixedBytes out;
    std::memcpy(out.bytes_.data(), bytes.data(), N);
    return out;
  }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), N}; }
  std::string str() const { return std::string(view()); }
  std::string hex() const { return ToHex(view()); }
  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  friend auto operator<=>(const FixedBytes&,
                          const FixedBytes&) = default;  // NOLINT(modernize-use-nullptr)

 private:
  std::array<std::uint8_t, N> bytes_{};
};

// For unordered maps: ids are random or hashes, so their first bytes are a hash already.
struct FixedBytesHash {
  template <typename Tag, std::size_t N>
  std::size_t operator()(const FixedBytes<Tag, N>& bytes) const noexcept {
    static_assert(N >= sizeof(std::size_t));
    std::size_t out = 0;
    std::memcpy(&out, bytes.data(), sizeof out);
    return out;
  }
};

}  // namespace holdfast
