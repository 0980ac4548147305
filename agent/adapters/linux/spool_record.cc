#include "agent/adapters/linux/spool_record.h"

#include <cstring>

#include "common/base/crc32c.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kMagic = "HFS1";
constexpr std::size_t kSealed = SpoolRecord::kBytes - 4;

void Put(char* out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i, value >>= 8) out[i] = static_cast<char>(value & 0xFF);
}

std::uint64_t Take(std::string_view in, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(in[at + i]);
  }
  return value;
}

}  // namespace

std::array<char, SpoolRecord::kBytes> EncodeSpoolRecord(const SpoolRecord& record) {
  std::array<char, SpoolRecord::kBytes> out{};
  std::memcpy(out.data(), kMagic.data(), kMagic.size());
  Put(&out[4], record.length, 4);
  Put(&out[8], record.number, 8);
  Put(&out[16], record.offset, 8);
  Put(&out[24], record.crc32c, 4);
  Put(&out[kSealed], Crc32c({out.data(), kSealed}), 4);
  return out;
}

std::optional<SpoolRecord> DecodeSpoolRecord(std::string_view bytes) {
  if (bytes.size() != SpoolRecord::kBytes || !bytes.starts_with(kMagic) ||
      Take(bytes, kSealed, 4) != Crc32c(bytes.substr(0, kSealed))) {
    return std::nullopt;
  }
  SpoolRecord record;
  record.length = static_cast<std::uint32_t>(Take(bytes, 4, 4));
  record.number = Take(bytes, 8, 8);
  record.offset = Take(bytes, 16, 8);
  record.crc32c = static_cast<std::uint32_t>(Take(bytes, 24, 4));
  return record;
}

}  // namespace holdfast::agent
