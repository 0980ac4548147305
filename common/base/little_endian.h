// AppendLittle: a number as `bytes` bytes, the lowest first: the lengths of our own pipes and records, and of formats
// that are so (pcapng, LiME, zip).
#pragma once

#include <cstdint>
#include <string>

namespace holdfast {

inline void AppendLittle(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i, value >>= 8) out.push_back(static_cast<char>(value & 0xFF));
}

}  // namespace holdfast
