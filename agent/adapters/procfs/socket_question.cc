#include "agent/adapters/procfs/socket_question.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <sys/socket.h>
#include <sys/un.h>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {
namespace {

constexpr timeval kAnswerPatience = {.tv_sec = 5, .tv_usec = 0};

}  // namespace

int AskUnixSocket(const std::string& path, std::string_view request, std::size_t max_bytes,
                  std::string& answer) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  path.copy(address.sun_path, path.size());
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {  // connect() waits for the second one
    (void)setsockopt(fd.get(), SOL_SOCKET, option, &kAnswerPatience, sizeof kAnswerPatience);
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno;
  }
  while (!request.empty()) {
    const ssize_t sent = send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return errno;
    request.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::array<char, 8192> piece = {};
  while (answer.size() < max_bytes) {
    const std::size_t room = std::min(piece.size(), max_bytes - answer.size());
    const ssize_t got = recv(fd.get(), piece.data(), room, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) break;
    answer.append(piece.data(), static_cast<std::size_t>(got));
  }
  return 0;
}

}  // namespace holdfast::agent
