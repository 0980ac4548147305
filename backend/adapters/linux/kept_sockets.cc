#include "backend/adapters/linux/kept_sockets.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/adapters/linux/listener.h"

namespace holdfast::backend {
namespace {

constexpr int kFirstPassed = 3;  // SD_LISTEN_FDS_START

std::string FromEnvironment(const char* name) {
  const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  std::string out = text == nullptr ? "" : text;
  ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe)
  return out;
}

// A message of sd_notify(3) with descriptors beside it. Nobody who does not listen is of interest.
void Notify(const std::string& where, std::string_view text, const std::vector<int>& fds) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (where.empty() || where.size() >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, where.data(), where.size());
  if (where.front() == '@') to.sun_path[0] = '\0';  // abstract
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return;
  std::string body(text);
  iovec part{body.data(), body.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * KeptSockets::kMaxKept)> space{};
  msghdr message{};
  message.msg_name = &to;
  message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + where.size());
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  const std::size_t count = std::min(fds.size(), KeptSockets::kMaxKept);
  if (count > 0) {
    message.msg_control = space.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * count);
    std::memcpy(CMSG_DATA(head), fds.data(), sizeof(int) * count);
  }
  static_cast<void>(::sendmsg(socket.get(), &message, MSG_NOSIGNAL));
}

}  // namespace

KeptSockets::KeptSockets(std::vector<UniqueFd> inherited, std::string notify)
    : inherited_(std::move(inherited)), notify_(std::move(notify)) {}

KeptSockets KeptSockets::Inherited() {
  KeptSockets out({}, FromEnvironment("NOTIFY_SOCKET"));
  const std::string pid = FromEnvironment("LISTEN_PID");
  const std::string count = FromEnvironment("LISTEN_FDS");
  FromEnvironment("LISTEN_FDNAMES");
  if (pid != std::to_string(::getpid()) || count.size() != 1) return out;
  for (int fd = kFirstPassed; fd < kFirstPassed + (count.front() - '0'); ++fd) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) out.inherited_.emplace_back(fd);
  }
  return out;
}

UniqueFd KeptSockets::Take(const std::string& address) {
  for (UniqueFd& socket : inherited_) {
    if (socket.valid() && LocalAddress(socket.get()) == address) return std::move(socket);
  }
  return {};
}

void KeptSockets::Store(const std::vector<int>& sockets) {
  inherited_.clear();
  Notify(notify_, "FDSTOREREMOVE=1\nFDNAME=listener", {});
  Notify(notify_, "FDSTORE=1\nFDNAME=listener", sockets);
}

}  // namespace holdfast::backend
