// Listener: a listening TCP or Unix socket on a libev loop.
//
//   Open --> [Listener] --> delegate: OnAcceptable; the delegate calls Accept() as often as it wants
//
// Limits:    without a descriptor to accept with, it looks again only after kPauseSeconds: those who wait
//            stay readable, and the loop would turn for nothing.
// Ownership: owns its socket; borrows loop and delegate.
// Threading: loop thread only.
// Errors:    Open(): kExists: the port is taken; kDenied: not allowed; kInternal else. The message names
//            the address.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <ev.h>

#include "backend/adapters/linux/unique_fd.h"
#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

// Where a peer's address is from, for bounds: an IPv4 address, or the /64 of an IPv6 one, which is what a
// single customer has. "1.2.3.4:567" -> "1.2.3.4"
std::string SourceOf(const std::string& peer_address);

// Where a socket is bound, "1.2.3.4:567"; nothing if it is not.
std::string LocalAddress(int fd);

class Listener;
class KeptSockets;

class ListenerDelegate {
 public:
  virtual ~ListenerDelegate() = default;
  virtual void OnAcceptable(Listener& listener) = 0;
};

class Listener {
 public:
  // With `kept`: goes on with the one that is kept for this address, if there is one.
  static Result<std::unique_ptr<Listener>> Open(struct ev_loop* loop, const ListenAddress& address,
                                                ListenerDelegate& delegate,
                                                KeptSockets* kept = nullptr);
  // A stream socket in the file system, in place of whatever had this path; for this user alone.
  static Result<std::unique_ptr<Listener>> OpenUnix(struct ev_loop* loop, const std::string& path,
                                                    ListenerDelegate& delegate);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  struct Accepted {
    UniqueFd fd;               // non-blocking, close-on-exec
    std::string peer_address;  // "1.2.3.4:567", "[::1]:567"; of a Unix socket empty
  };
  // nullopt: nobody waits, or there is no descriptor or memory left for one more.
  std::optional<Accepted> Accept();
  // While off, those who connect wait in the kernel's backlog.
  void SetAccepting(bool on);
  int fd() const { return fd_.get(); }
  std::string address() const;  // with the port that the system chose, if it was left to it

 private:
  Listener(struct ev_loop* loop, UniqueFd fd, ListenerDelegate& delegate);
  void Pause();
  void Watch();

  struct ev_loop* const loop_;
  const UniqueFd fd_;
  ListenerDelegate& delegate_;
  ev_io io_{};
  ev_timer pause_{};  // runs while there is no descriptor to accept with
  bool wanted_ = false;
};

}  // namespace holdfast::backend
