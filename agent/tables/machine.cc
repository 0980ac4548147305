#include "agent/tables/machine.h"

#include "agent/tables/text.h"

namespace holdfast::agent {

std::string_view TypeName(std::uint32_t mode) {
  switch (mode & kTypeMask) {
    case kTypeRegular: return "regular";
    case kTypeDirectory: return "directory";
    case kTypeSymlink: return "symlink";
    case 0060000: return "block";
    case 0020000: return "character";
    case 0010000: return "fifo";
    case 0140000: return "socket";
    default: return "unknown";
  }
}

std::string OctalMode(std::uint32_t mode) {
  std::string text;
  for (int shift = 9; shift >= 0; shift -= 3) {
    text.push_back(static_cast<char>('0' + (mode >> shift & 7)));
  }
  return text;
}

std::string ReadOr(Machine& machine, const std::string& path, std::size_t max_bytes) {
  auto text = machine.ReadFile(path, max_bytes);
  return text.ok() ? std::move(text).value() : std::string();
}

std::string ReadValue(Machine& machine, const std::string& path) {
  return std::string(Trim(ReadOr(machine, path)));
}

}  // namespace holdfast::agent
