#include "backend/adapters/linux/adoption_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/worker_channel.h"

namespace holdfast::backend {
namespace {

constexpr std::size_t kDescriptors = 4;  // channel, counters, process, config
using ControlSpace = std::array<char, CMSG_SPACE(sizeof(int) * kDescriptors)>;

Error Failed(const std::string& what, Code code = Code::kInternal) {
  return Error{code, what + ": " + std::generic_category().message(errno)};
}

std::optional<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path) return std::nullopt;
  std::memcpy(at.sun_path, path.data(), path.size());
  return at;
}

// Those that came with a message; each has an owner from here on.
std::array<UniqueFd, kDescriptors> TakeDescriptors(msghdr& message) {
  std::array<UniqueFd, kDescriptors> taken;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
    return taken;
  }
  const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < count && i < kDescriptors; ++i) {
    int number = -1;
    std::memcpy(&number, CMSG_DATA(header) + i * sizeof number, sizeof number);
    taken[i].Reset(number);
  }
  return taken;
}

}  // namespace

Result<std::unique_ptr<AdoptionSocket>> AdoptionSocket::Open(struct ev_loop* loop,
                                                             const std::string& path,
                                                             AdoptionDelegate& delegate) {
  const auto at = AddressOf(path);
  if (!at) return Error{Code::kInvalid, path + ": too long"};
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Failed(path);
  ::unlink(path.c_str());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*at), sizeof *at) != 0 ||
      ::chmod(path.c_str(), 0600) != 0) {
    return Failed(path);
  }
  return std::unique_ptr<AdoptionSocket>(new AdoptionSocket(loop, std::move(fd), delegate));
}

AdoptionSocket::AdoptionSocket(struct ev_loop* loop, UniqueFd fd, AdoptionDelegate& delegate)
    : loop_(loop), fd_(std::move(fd)), delegate_(delegate) {
  ev_io_init(
      &io_,
      [](struct ev_loop*, ev_io* io, int) { static_cast<AdoptionSocket*>(io->data)->ReceiveOne(); },
      fd_.get(), EV_READ);
  io_.data = this;
  ev_io_start(loop_, &io_);
}

AdoptionSocket::~AdoptionSocket() { ev_io_stop(loop_, &io_); }

void AdoptionSocket::ReceiveOne() {
  std::array<char, kMaxIntroductionBytes + 1> buffer;  // one more: what is too long is seen
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) ControlSpace control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return;
  auto [channel, counters, process, config] = TakeDescriptors(message);
  auto said = DecodeIntroduction({buffer.data(), static_cast<std::size_t>(got)});
  // Without a descriptor left here some do not arrive; its channel is closed with that, and it comes again.
  if (!said || !config.valid()) return;
  delegate_.OnOrphan({*std::move(said), std::move(channel), std::move(counters), std::move(process),
                      std::move(config)});
}

Result<UniqueFd> SeekSupervisor(const std::string& path, const Introduction& introduction,
                                int counters, std::string_view config) {
  const auto at = AddressOf(path);
  if (!at) return Error{Code::kInvalid, path + ": too long"};
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return Failed(path);
  HF_ASSIGN_OR_RETURN(auto pair, WorkerChannel::MakePair());
  HF_ASSIGN_OR_RETURN(const UniqueFd text, MemoryFile(config));
  // Not by <sys/pidfd.h>, which C++ cannot link with before glibc 2.37.
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!process.valid()) return Failed("pidfd_open");

  std::string words = EncodeIntroduction(introduction);
  iovec part{words.data(), words.size()};
  const std::array<int, kDescriptors> given = {pair.second.get(), counters, process.get(),
                                               text.get()};
  alignas(cmsghdr) ControlSpace control{};
  msghdr message{};
  sockaddr_un to = *at;
  message.msg_name = &to;
  message.msg_namelen = sizeof to;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof given);
  std::memcpy(CMSG_DATA(header), given.data(), sizeof given);
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return Failed(path, Code::kUnavailable);
  }
  return std::move(pair.first);
}

}  // namespace holdfast::backend
