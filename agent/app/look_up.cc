#include "agent/app/look_up.h"

#include <memory>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace holdfast::agent {

std::vector<std::string> LookUp(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, ::freeaddrinfo);
  std::vector<std::string> out;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    char text[INET6_ADDRSTRLEN] = "";
    const bool is_text = ::getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0,
                                       NI_NUMERICHOST) == 0;
    if (is_text) out.emplace_back(text);
  }
  return out;
}

}  // namespace holdfast::agent
