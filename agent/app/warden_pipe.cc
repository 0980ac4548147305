#include "agent/app/warden_pipe.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace holdfast::agent {
namespace {

// A quarter of the largest message: few reads for large ones, and little stack for small ones.
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;

Error Gone(std::string what) { return Error{Code::kUnavailable, "warden: " + std::move(what)}; }

// The descriptor is non-blocking: the loop's duplicate of it shares its flags.
bool WaitForRoom(int fd) {
  pollfd entry{fd, POLLOUT, 0};
  const int ready = poll(&entry, 1, static_cast<int>(kWriteTimeout.count()));
  return ready > 0 || (ready < 0 && errno == EINTR);
}

}  // namespace

Result<bool> WardenPipe::Fill(int flags) {
  std::array<char, kReadBytes> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  const ssize_t got = recv(fd_, buffer.data(), buffer.size(), flags);
  if (got > 0) {
    framer_.Push({buffer.data(), static_cast<std::size_t>(got)});
    return true;
  }
  if (got == 0) return Gone("closed");
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return false;
  return Gone(std::strerror(errno));
}

Result<std::optional<LinkMessageView>> WardenPipe::Read() {
  HF_ASSIGN_OR_RETURN(std::optional<LinkMessageView> message, framer_.Next());
  if (message) return message;
  HF_ASSIGN_OR_RETURN(const bool more, Fill(MSG_DONTWAIT));
  if (!more) return std::optional<LinkMessageView>();
  return framer_.Next();
}

Result<LinkMessageView> WardenPipe::ReadFirst() {
  for (;;) {
    HF_ASSIGN_OR_RETURN(std::optional<LinkMessageView> message, framer_.Next());
    if (message) return *message;
    HF_ASSIGN_OR_RETURN(const bool more, Fill(0));
    pollfd entry{fd_, POLLIN, 0};
    if (!more) poll(&entry, 1, -1);
  }
}

Status WardenPipe::Write(LinkMessageType type, std::string_view payload) {
  const std::string header = LinkMessageHeader(type, payload.size());
  std::string_view head = header;
  while (!head.empty() || !payload.empty()) {
    std::array<iovec, 2> parts{};
    parts[0] = {const_cast<char*>(head.data()), head.size()};
    parts[1] = {const_cast<char*>(payload.data()), payload.size()};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR || (errno == EAGAIN && WaitForRoom(fd_))) continue;
      if (errno == EAGAIN) return Error{Code::kExpired, "warden: does not read"};
      return Gone(std::strerror(errno));
    }
    const auto count = static_cast<std::size_t>(sent);
    const std::size_t of_head = std::min(count, head.size());
    head.remove_prefix(of_head);
    payload.remove_prefix(count - of_head);
  }
  return Ok();
}

}  // namespace holdfast::agent
