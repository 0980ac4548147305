#include "backend/adapters/linux/worker_channel.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include <ev.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace holdfast::backend {

struct WorkerChannel::Watcher {
  struct ev_loop* loop;
  ev_io io;
};

namespace {
// Sockets handled before other sources of the loop get their turn.
constexpr int kMessagesPerTurn = 64;

Error Failed(const char* what) {
  return Error{Code::kInternal, std::string(what) + ": " + std::generic_category().message(errno)};
}
}  // namespace

Result<std::pair<UniqueFd, UniqueFd>> WorkerChannel::MakePair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()) != 0) {
    return Failed("socketpair");
  }
  return std::pair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

WorkerChannel::WorkerChannel(struct ev_loop* loop, UniqueFd fd, WorkerChannelDelegate& delegate)
    : fd_(std::move(fd)), delegate_(delegate), watcher_(std::make_unique<Watcher>()) {
  watcher_->loop = loop;
  ev_io_init(
      &watcher_->io,
      [](struct ev_loop*, ev_io* io, int) { static_cast<WorkerChannel*>(io->data)->OnReadable(); },
      fd_.get(), EV_READ);
  watcher_->io.data = this;
  ev_io_start(loop, &watcher_->io);
}

WorkerChannel::~WorkerChannel() { ev_io_stop(watcher_->loop, &watcher_->io); }

Status WorkerChannel::Send(WorkerMessageType type, std::string_view payload, int fd) {
  if (payload.size() >= kMaxWorkerMessageBytes) return Error{Code::kInvalid, "message too long"};
  auto type_byte = static_cast<std::uint8_t>(type);
  // sendmsg does not write through these; its interface is older than const.
  std::array<iovec, 2> parts{
      {{&type_byte, 1}, {const_cast<char*>(payload.data()), payload.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Ok();
  // ETOOMANYREFS: too many descriptors in flight (unix(7)), as full as a full buffer.
  if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) {
    return Error{Code::kExhausted, "the other process does not read"};
  }
  return Error{Code::kUnavailable,
               std::string("sendmsg: ") + std::generic_category().message(errno)};
}

void WorkerChannel::OnReadable() {
  for (int i = 0; i < kMessagesPerTurn && ReceiveOne(); ++i) {
  }
}

bool WorkerChannel::ReceiveOne() {
  std::array<char, kMaxWorkerMessageBytes> buffer;
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    ev_io_stop(watcher_->loop, &watcher_->io);
    delegate_.OnWorkerChannelEnd();
    return false;
  }
  UniqueFd fd;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header), sizeof number);
    fd.Reset(number);
  }
  const auto type = static_cast<WorkerMessageType>(static_cast<std::uint8_t>(buffer[0]));
  const std::string_view payload(buffer.data() + 1, static_cast<std::size_t>(got) - 1);
  delegate_.OnWorkerMessage(type, payload, std::move(fd));
  return true;
}

}  // namespace holdfast::backend
