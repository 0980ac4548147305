#include "common/adapters/lws/lws_dial_hooks.h"

#include <utility>

#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"

namespace holdfast::lws {
namespace {

thread_local DialHooks* current_hooks = nullptr;

}  // namespace

DialHooks::DialHooks(int socket, std::string last_address)
    : socket_(socket), last_address_(std::move(last_address)) {
  HF_CHECK(current_hooks == nullptr);
  current_hooks = this;
}

DialHooks::~DialHooks() {
  current_hooks = nullptr;
  if (socket_ >= 0) ::close(socket_);
}

DialHooks* DialHooks::current() { return current_hooks; }
int DialHooks::TakeSocket() { return std::exchange(socket_, -1); }

}  // namespace holdfast::lws

extern "C" {
int __real_connect(int fd, const sockaddr* to, socklen_t size);
int __wrap_connect(int fd, const sockaddr* to, socklen_t size);
int __real_getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                       addrinfo** found);
int __wrap_getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                       addrinfo** found);

int __wrap_connect(int fd, const sockaddr* to, socklen_t size) {
  auto* const hooks = holdfast::lws::DialHooks::current();
  const int ready = hooks == nullptr ? -1 : hooks->TakeSocket();
  if (ready < 0) return __real_connect(fd, to, size);
  // In the same place: lws has entered the number in its tables.
  const int put = ::dup3(ready, fd, O_CLOEXEC);
  ::close(ready);
  return put < 0 ? -1 : 0;
}

int __wrap_getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                       addrinfo** found) {
  const int error = __real_getaddrinfo(name, service, hints, found);
  auto* const hooks = holdfast::lws::DialHooks::current();
  if (error == 0 || hooks == nullptr || hooks->last_address().empty()) return error;
  addrinfo numeric = hints == nullptr ? addrinfo{} : *hints;
  numeric.ai_flags |= AI_NUMERICHOST;
  const int known = __real_getaddrinfo(hooks->last_address().c_str(), service, &numeric, found);
  if (known == 0) hooks->OnLastAddressUsed();
  return known == 0 ? 0 : error;
}
}
