#include "agent/tables/machine.h"

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

}  // namespace holdfast::agent
