#include "agent/verbs/own_io.h"

#include <array>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

std::uint64_t NumberAfter(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  std::string_view rest = text.substr(at + name.size());
  return ParseUint(NextField(rest, '\n')).value_or(0);
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
