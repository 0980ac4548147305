#include "agent/verbs/worker_channel.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/core/worker_messages.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kHeaderBytes = 5;

// Both parts, whole. Ends the process when the reader is gone: a worker without warden has no use.
void WriteBoth(int fd, std::string_view head, std::string_view body) {
  while (!head.empty() || !body.empty()) {
    std::array<iovec, 2> parts = {iovec{const_cast<char*>(head.data()), head.size()},
                                  iovec{const_cast<char*>(body.data()), body.size()}};
    const ssize_t wrote = writev(fd, parts.data(), 2);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) {
      pollfd wait = {.fd = fd, .events = POLLOUT, .revents = 0};
      (void)poll(&wait, 1, -1);
      continue;
    }
    if (wrote < 0) _exit(1);
    const std::size_t of_head = std::min(static_cast<std::size_t>(wrote), head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(static_cast<std::size_t>(wrote) - of_head);
  }
}

void WriteMessage(int fd, char type, std::string_view payload) {
  std::array<char, kHeaderBytes> header = {type};
  std::size_t length = payload.size();
  for (std::size_t i = 1; i < kHeaderBytes; ++i, length >>= 8) {
    header[i] = static_cast<char>(length & 0xff);
  }
  WriteBoth(fd, {header.data(), header.size()}, payload);
}

}  // namespace

WorkerChannel::WorkerChannel(int fd, std::uint64_t out_bytes) : fd_(fd), out_bytes_(out_bytes) {}

void WorkerChannel::Send(char type, std::string_view payload) {
  sending_ = 1;
  WriteMessage(fd_, type, payload);
  sending_ = 0;
  if (abort_pending_ != 0) AbortNow(abort_result_);
}

bool WorkerChannel::Output(std::string_view bytes) {
  if (bytes.size() > room_bytes()) {
    bytes = bytes.substr(0, static_cast<std::size_t>(room_bytes()));
    truncated_ = true;
  }
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kMaxWorkerMessageBytes);
    Send(static_cast<char>(WorkerMessageType::kOutput), part);
    written_bytes_ += part.size();
    bytes.remove_prefix(part.size());
  }
  return !truncated_;
}

void WorkerChannel::Exit(std::string_view serialized_result) {
  Send(static_cast<char>(WorkerMessageType::kExit), serialized_result);
}

void WorkerChannel::SessionKey(std::string_view public_key) {
  Send(static_cast<char>(WorkerMessageType::kSessionKey), public_key);
}

void WorkerChannel::AbortNow(std::string_view serialized_result) {
  if (sending_ != 0) {
    abort_result_ = serialized_result;
    abort_pending_ = 1;
    return;
  }
  WriteMessage(fd_, static_cast<char>(WorkerMessageType::kExit), serialized_result);
  _exit(0);
}

}  // namespace holdfast::agent
