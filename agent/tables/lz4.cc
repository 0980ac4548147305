#include <cstdint>

#include "agent/tables/decompress.h"

namespace holdfast::agent {
namespace {

// A length of 15 goes on in the bytes that follow, up to one that is not 255.
bool Lengthen(std::string_view& in, std::size_t& length) {
  if (length != 15) return true;
  while (!in.empty() && length < SIZE_MAX / 2) {
    const auto more = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    length += more;
    if (more != 255) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> DecompressLz4(std::string_view in, std::size_t max_bytes) {
  std::string out;
  while (!in.empty()) {
    const auto token = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    std::size_t literals = token >> 4;
    if (!Lengthen(in, literals)) return std::nullopt;
    if (literals > in.size() || literals > max_bytes - out.size()) return std::nullopt;
    out.append(in, 0, literals);
    in.remove_prefix(literals);
    if (in.empty()) return out;  // the last sequence has no match
    if (in.size() < 2) return std::nullopt;
    const auto low = static_cast<unsigned char>(in[0]);
    const auto high = static_cast<unsigned char>(in[1]);
    const std::size_t distance = static_cast<std::size_t>(low | high << 8);
    in.remove_prefix(2);
    std::size_t match = token & 15;
    if (!Lengthen(in, match)) return std::nullopt;
    match += 4;
    if (distance == 0 || distance > out.size() || match > max_bytes - out.size()) {
      return std::nullopt;
    }
    for (; match > 0; --match) out.push_back(out[out.size() - distance]);
  }
  return std::nullopt;
}

}  // namespace holdfast::agent
