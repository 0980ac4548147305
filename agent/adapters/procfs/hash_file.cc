#include "agent/adapters/procfs/hash_file.h"

#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <unistd.h>

#include "agent/adapters/digest/file_digest.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;

}  // namespace

int HashFd(int fd, FileHashes& out, const Patience* patience) {
  (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  const auto buffer = std::make_unique<char[]>(kBufferBytes);
  FileDigest digest;
  while (true) {
    if (patience != nullptr && patience->IsOver()) return ECANCELED;
    const ssize_t got = read(fd, buffer.get(), kBufferBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    digest.Update({buffer.get(), static_cast<std::size_t>(got)});
  }
  out = digest.Finish();
  return 0;
}

}  // namespace holdfast::agent
