// The header of a member whose names and facts an endpoint makes up: whole blocks, right checksums, and a
// pax record that says how long it is.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "agent/verbs/tar_header.h"
#include "common/base/check.h"

using holdfast::agent::kTarBlockBytes;

namespace {

// Of a block that begins at `at`; returns the size that it names.
std::size_t CheckBlock(const std::string& header, std::size_t at) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kTarBlockBytes; ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[at + i]);
  }
  HF_CHECK(std::stoul(header.substr(at + 148, 6), nullptr, 8) == sum);
  return std::stoul(header.substr(at + 124, 11), nullptr, 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kFacts = 4 + 4 + 4 + 8 + 8 + 8;
  if (size < kFacts + 2) return 0;
  holdfast::agent::TarMember member;
  const auto take = [&data, &size](auto& value) {
    std::memcpy(&value, data, sizeof value);
    data += sizeof value;
    size -= sizeof value;
  };
  take(member.stat.mode);
  take(member.stat.uid);
  take(member.stat.gid);
  take(member.stat.size);
  take(member.stat.mtime_ns);
  take(member.stat.rdevice);
  member.stat.size &= INT64_MAX;
  const std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = static_cast<unsigned char>(rest[0]) * rest.size() / 256;
  member.name = rest.substr(0, cut);
  member.target = member.user = member.group = rest.substr(cut);
  const std::string header = TarHeader(member);
  if (header.empty()) return 0;
  HF_CHECK(header.size() % kTarBlockBytes == 0);
  std::size_t at = 0;
  if (header[156] == 'x') {
    const std::size_t records = CheckBlock(header, 0);
    std::size_t begin = kTarBlockBytes;
    while (begin < kTarBlockBytes + records) {
      const std::size_t length = std::stoul(header.substr(begin, 20));
      HF_CHECK(length > 0 && header[begin + length - 1] == '\n');
      begin += length;
    }
    HF_CHECK(begin == kTarBlockBytes + records);
    at = begin + holdfast::agent::TarPadding(records);
  }
  HF_CHECK(at + kTarBlockBytes == header.size());
  (void)CheckBlock(header, at);
  return 0;
}
