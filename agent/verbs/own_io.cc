#include "agent/verbs/own_io.h"

#include <array>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace holdfast::agent {
namespace {

std::uint64_t NumberAfter(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  std::uint64_t value = 0;
  if (at == std::string_view::npos) return value;
  for (const char digit : text.substr(at + name.size())) {
    if (digit < '0' || digit > '9') break;
    value = value * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

}  // namespace

int OpenOwnIo() { return ::open("/proc/self/io", O_RDONLY | O_CLOEXEC); }

OwnIo ReadOwnIo(int file) {
  std::array<char, 512> bytes;  // seven lines
  const ssize_t got = file < 0 ? -1 : ::pread(file, bytes.data(), bytes.size(), 0);
  if (got <= 0) return {};
  const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
  return {.disk_read_bytes = NumberAfter(text, "\nread_bytes: "),
          .disk_written_bytes = NumberAfter(text, "\nwrite_bytes: ")};
}

}  // namespace holdfast::agent
