#include "backend/supervisor/give_order.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>

#include "backend/supervisor/stop_request.h"

namespace holdfast::backend {
namespace {

Result<UniqueFd> Connect(const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  // MakeConfig() has seen that it fits.
  std::memcpy(at.sun_path, path.data(), std::min(path.size(), sizeof at.sun_path - 1));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.valid() && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0) {
    return fd;
  }
  if (errno != ENOENT && errno != ECONNREFUSED) {
    return Error{Code::kDenied, path + ": " + std::generic_category().message(errno)};
  }
  return Error{Code::kNotFound, "no holdfastd runs on this directory (" + path + ")"};
}

OrderLine::Answer Parse(std::string_view line) {
  using Kind = OrderLine::Answer::Kind;
  const std::string text(line.substr(std::min<std::size_t>(line.size(), 2)));
  if (line.starts_with("0 ")) return {Kind::kDone, text};
  if (line.starts_with("1 ")) return {Kind::kNot, text};
  return {Kind::kGoesOn, text};
}

}  // namespace

Result<OrderLine> OrderLine::Give(const Config& config, std::string_view word) {
  HF_ASSIGN_OR_RETURN(UniqueFd fd, Connect(config.orders_socket()));
  const std::string order = std::string(word) + "\n";
  if (::send(fd.get(), order.data(), order.size(), MSG_NOSIGNAL) < 0) {
    return Error{Code::kUnavailable,
                 std::string("holdfastd: ") + std::generic_category().message(errno)};
  }
  return OrderLine(std::move(fd));
}

Result<OrderLine::Answer> OrderLine::Next(const StopRequest* stop) {
  std::array<char, 4096> piece;
  for (;;) {
    if (const std::size_t end = pending_.find('\n'); end != std::string::npos) {
      Answer answer = Parse(std::string_view(pending_).substr(0, end));
      pending_.erase(0, end + 1);
      return answer;
    }
    if (stop != nullptr && stop->came()) return Error{Code::kCancelled, "interrupted"};
    const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Error{Code::kUnavailable, "holdfastd ended before it was done"};
    pending_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

Status OrderLine::StillOpen() {
  std::array<char, 1> piece;
  const ssize_t got = ::recv(fd_.get(), piece.data(), piece.size(), MSG_PEEK | MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && pending_.empty()) return Ok();
  HF_ASSIGN_OR_RETURN(const Answer answer, Next());
  return Error{Code::kUnavailable, answer.text};
}

Result<int> GiveOrder(const Config& config, std::string_view word) {
  HF_ASSIGN_OR_RETURN(OrderLine line, OrderLine::Give(config, word));
  for (;;) {
    HF_ASSIGN_OR_RETURN(const OrderLine::Answer answer, line.Next());
    const bool is_bad = answer.kind == OrderLine::Answer::Kind::kNot;
    std::FILE* const to = is_bad ? stderr : stdout;
    std::fprintf(to, "%s%s\n", is_bad ? "holdfastd: " : "", answer.text.c_str());
    std::fflush(to);
    if (answer.kind != OrderLine::Answer::Kind::kGoesOn) return is_bad ? 1 : 0;
  }
}

}  // namespace holdfast::backend
