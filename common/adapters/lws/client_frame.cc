#include "common/adapters/lws/client_frame.h"

#include <cstddef>
#include <cstring>

namespace holdfast::lws {
namespace {

constexpr char kFinalBinary = static_cast<char>(0x82);  // FIN, opcode 2
constexpr std::uint8_t kMasked = 0x80;

void AppendLength(std::string& out, std::uint64_t length) {
  int bytes = 0;  // of extended length
  if (length < 126) {
    out.push_back(static_cast<char>(kMasked | length));
  } else if (length <= 0xFFFF) {
    out.push_back(static_cast<char>(kMasked | 126));
    bytes = 2;
  } else {
    out.push_back(static_cast<char>(kMasked | 127));
    bytes = 8;
  }
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(length >> shift));
  }
}

}  // namespace

std::string MaskedFrame(std::string_view payload, const std::array<std::uint8_t, 4>& mask) {
  std::string out;
  out.reserve(14 + payload.size());
  out.push_back(kFinalBinary);
  AppendLength(out, payload.size());
  out.append(reinterpret_cast<const char*>(mask.data()), mask.size());
  const std::size_t start = out.size();
  out.append(payload);
  std::uint64_t wide = 0;
  std::memcpy(&wide, mask.data(), 4);
  std::memcpy(reinterpret_cast<char*>(&wide) + 4, mask.data(), 4);
  char* at = out.data() + start;
  std::size_t left = payload.size();
  for (; left >= sizeof wide; left -= sizeof wide, at += sizeof wide) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    word ^= wide;
    std::memcpy(at, &word, sizeof word);
  }
  for (std::size_t i = 0; i < left; ++i) at[i] = static_cast<char>(at[i] ^ mask[i & 3]);
  return out;
}

}  // namespace holdfast::lws
