#include "backend/adapters/linux/unique_fd.h"

#include <unistd.h>

namespace holdfast::backend {

void UniqueFd::Reset(int fd) {
  const int before = std::exchange(fd_, fd);
  if (before >= 0) ::close(before);
}

}  // namespace holdfast::backend
