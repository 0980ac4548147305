// Files of systemd's journal for tests: journal_fixture/make.py says where they come from.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "common/base/little_endian.h"
#include "tests/support/temp_dir.h"

namespace holdfast::testing {

// The whole file, holes as zeros.
inline std::string JournalBytes(std::string_view name) {
  const std::string pieces =
      ReadWhole(HOLDFAST_FIXTURES "/journal_fixture/" + std::string(name) + ".pieces");
  std::string bytes;
  std::string_view rest = pieces;
  while (rest.size() >= 16) {
    const auto at = static_cast<std::size_t>(LittleEndian(rest.substr(0, 8)));
    const auto size = static_cast<std::size_t>(LittleEndian(rest.substr(8, 8)));
    bytes.resize(at);
    bytes += rest.substr(16, size);
    rest.remove_prefix(16 + size);
  }
  return bytes;
}

inline void PutFile(const std::string& path, std::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace holdfast::testing
