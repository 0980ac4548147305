// The header of one record in a segment file of the spool, to bytes and back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::agent {

struct SpoolRecord {
  static constexpr std::size_t kBytes = 32;
  std::uint32_t length = 0;
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
  std::uint32_t crc32c = 0;  // of the data
};

std::array<char, SpoolRecord::kBytes> EncodeSpoolRecord(const SpoolRecord& record);
// nullopt: not a header, or one whose checksum does not hold.
std::optional<SpoolRecord> DecodeSpoolRecord(std::string_view bytes);

}  // namespace holdfast::agent
