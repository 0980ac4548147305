// DialHooks: what lws does not offer while it dials, put in below it.
//
// lws looks names up and connects sockets by itself, and cannot be given a connected one. Programs that
// link this have `getaddrinfo` and `connect` wrapped (--wrap in common/CMakeLists.txt);
// while a DialHooks lives on this thread, the wrappers
//   - answer with `last_address` where the name cannot be looked up,
//   - put `socket` in the place of the one that lws is about to connect.
// Without one they are the functions that they wrap.
//
// Ownership: owns `socket` until lws has taken it.
// Threading: of the thread that made it; one at a time.
// Design:    docs/decisions/0036-below-the-dialler.md
#pragma once

#include <string>

namespace holdfast::lws {

class DialHooks {
 public:
  // socket: -1 = none. last_address: numeric; empty = none.
  DialHooks(int socket, std::string last_address);
  ~DialHooks();
  DialHooks(const DialHooks&) = delete;
  DialHooks& operator=(const DialHooks&) = delete;

  bool used_last_address() const { return used_last_address_; }

  // For the wrappers.
  static DialHooks* current();
  int TakeSocket();
  const std::string& last_address() const { return last_address_; }
  void OnLastAddressUsed() { used_last_address_ = true; }

 private:
  int socket_;
  const std::string last_address_;
  bool used_last_address_ = false;
};

}  // namespace holdfast::lws
