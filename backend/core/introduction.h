// Introduction: what a gateway whose supervisor is gone says of itself to the next one.
//
// Limits:    kMaxIntroductionBytes; a slot and an instance of letters, digits, "." and "-", 1..128 of them each; a program likewise.
// Threading: values and pure functions.
// Errors:    DecodeIntroduction(): nullopt for anything else.
// Design:    docs/decisions/0155-links-outlive-a-supervisor.md
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::backend {

inline constexpr std::size_t kMaxIntroductionBytes = 512;

struct Introduction {
  std::string slot;      // "g0"
  std::string instance;  // as it is called at Redis and by control
  std::string program;   // which file it runs (OwnProgram(), adapters/linux/files.h)
  bool operator==(const Introduction&) const = default;
};

std::string EncodeIntroduction(const Introduction& introduction);
std::optional<Introduction> DecodeIntroduction(std::string_view bytes);

}  // namespace holdfast::backend
