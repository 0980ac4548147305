#include "backend/supervisor/give_order.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>

#include <sys/socket.h>
#include <sys/un.h>

#include "backend/adapters/linux/unique_fd.h"

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

// Prints one line of the answer; the exit status if it was the last.
std::optional<int> Show(const std::string& line) {
  const bool last = line.starts_with("0 ") || line.starts_with("1 ");
  std::FILE* const to = line.starts_with("1 ") ? stderr : stdout;
  std::fprintf(to, "%s%s\n", to == stderr ? "holdfastd: " : "",
               line.size() > 2 ? line.c_str() + 2 : "");
  std::fflush(to);
  if (!last) return std::nullopt;
  return line.front() == '0' ? 0 : 1;
}

}  // namespace

Result<int> GiveOrder(const Config& config, std::string_view word) {
  HF_ASSIGN_OR_RETURN(const UniqueFd fd, Connect(config.orders_socket()));
  const std::string order = std::string(word) + "\n";
  if (::send(fd.get(), order.data(), order.size(), MSG_NOSIGNAL) < 0) {
    return Error{Code::kUnavailable,
                 std::string("holdfastd: ") + std::generic_category().message(errno)};
  }
  std::string answer;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t got = ::recv(fd.get(), piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Error{Code::kUnavailable, "holdfastd ended before it was done"};
    answer.append(piece.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = answer.find('\n')) != std::string::npos;) {
      if (const auto status = Show(answer.substr(0, end))) return *status;
      answer.erase(0, end + 1);
    }
  }
}

}  // namespace holdfast::backend
