#include "agent/app/link_child.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/adapters/linux/os_error.h"
#include "agent/app/log.h"

namespace holdfast::agent {
namespace {

// One full message in the kernel, so that warden fills the next while link sends this one.
constexpr int kSocketBytes = 512 * 1024;
// On the stack: a larger one would stay resident in an idle agent.
constexpr std::size_t kReadBytes = 16 * 1024;

}  // namespace

Status LinkChild::Start() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return OsError("socketpair", errno);
  }
  UniqueFd mine(ends[0]);
  const UniqueFd theirs(ends[1]);
  for (const int fd : ends) {
    // FORCE goes beyond the machine's maximum and needs root; without it the maximum is what we get.
    if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBytes, sizeof kSocketBytes) != 0) {
      ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBytes, sizeof kSocketBytes);
    }
  }
  ChildPlan plan;
  plan.subcommand = "link";
  plan.argument = ToString(CurrentLogLevel()).data();  // a literal
  plan.fds = {-1, -1, -1, theirs.get()};
  plan.drop_to = user_;
  HF_ASSIGN_OR_RETURN(pid_, self_.Start(plan));
  socket_ = std::move(mine);
  out_.clear();
  AppendLinkMessage(out_, LinkMessageType::kRoutes, routes_.ForLink());
  sent_ = 0;
  framer_ = LinkFramer();
  why_.clear();
  return Ok();
}

void LinkChild::Pump(Warden& warden, Moment at) {
  while (is_up()) {
    if (!has_unsent()) {
      sent_ = 0;
      if (!warden.NextLinkBytes(out_, at)) {
        out_.clear();
        return;
      }
    }
    const auto sent = ::send(socket_.get(), out_.data() + sent_, out_.size() - sent_,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      sent_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      why_ = std::generic_category().message(errno);
      return socket_.Reset();
    }
  }
}

void LinkChild::OnReadable(Warden& warden, Moment at) {
  std::array<char, kReadBytes> buffer;
  const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    why_ = got == 0 ? "it closed its socket" : std::generic_category().message(errno);
    return socket_.Reset();
  }
  framer_.Push({buffer.data(), static_cast<std::size_t>(got)});
  for (;;) {
    auto next = framer_.Next();
    if (!next.ok()) {
      why_ = next.error().message;
      return socket_.Reset();
    }
    if (!next.value()) return;
    if (next.value()->type == LinkMessageType::kReached) {
      routes_.OnReached(next.value()->payload);
      continue;
    }
    if (next.value()->type == LinkMessageType::kDialling) {
      routes_.OnDialling(next.value()->payload);
      continue;
    }
    warden.OnLinkMessage(next.value()->type, next.value()->payload, at);
  }
}

void LinkChild::OnEnded(int wait_status) {
  pid_ = -1;
  if (why_.empty() || WIFSIGNALED(wait_status)) {
    why_ = WIFSIGNALED(wait_status) ? "signal " + std::to_string(WTERMSIG(wait_status))
                                    : "exit status " + std::to_string(WEXITSTATUS(wait_status));
  }
  socket_.Reset();
}

void LinkChild::Kill() {
  socket_.Reset();
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

void LinkChild::Shrink() {
  if (has_unsent()) return;
  out_ = std::string();
  framer_.Shrink();
}

}  // namespace holdfast::agent
