// PackedString: bytes that are seldom read and kept a million times: one pointer, and what it points to.
//
// std::string is 32 bytes before it holds anything.
//
// Limits:    4 GiB.
// Threading: a value.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace holdfast {

class PackedString {
 public:
  PackedString() = default;
  // Implicit on purpose: it takes the place of a std::string.
  // NOLINTBEGIN(google-explicit-constructor)
  PackedString(std::string_view text) {
    if (text.empty()) return;
    const auto size = static_cast<std::uint32_t>(text.size());
    bytes_ = std::make_unique<char[]>(sizeof size + text.size());
    std::memcpy(bytes_.get(), &size, sizeof size);
    std::memcpy(bytes_.get() + sizeof size, text.data(), text.size());
  }
  PackedString(const std::string& text) : PackedString(std::string_view(text)) {}
  PackedString(const char* text) : PackedString(std::string_view(text)) {}
  operator std::string_view() const { return view(); }
  // NOLINTEND(google-explicit-constructor)
  PackedString(const PackedString& other) : PackedString(other.view()) {}
  PackedString(PackedString&&) noexcept = default;
  PackedString& operator=(const PackedString& other) {
    if (this != &other) *this = PackedString(other.view());
    return *this;
  }
  PackedString& operator=(PackedString&&) noexcept = default;
  ~PackedString() = default;

  std::string_view view() const {
    if (bytes_ == nullptr) return {};
    std::uint32_t size = 0;
    std::memcpy(&size, bytes_.get(), sizeof size);
    return {bytes_.get() + sizeof size, size};
  }
  std::string str() const { return std::string(view()); }
  friend bool operator==(const PackedString& a, const PackedString& b) {
    return a.view() == b.view();
  }

 private:
  std::unique_ptr<char[]> bytes_;  // the size, then the text; null: empty
};

}  // namespace holdfast
