// LinkChild: the link process as warden holds it: started, fed, read, ended.
//
// One message at a time is under way: the next is asked for when the last was written whole, so what
// waits for a slow server waits in the spool.
//
// Ordering:  a new process hears kRoutes before all that the warden has for it.
// Ownership: owns the socket; borrows SelfExec and RouteFile.
// Threading: loop thread only.
// Errors:    is_up() turns false when the process or its framing breaks; why() says how.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "agent/adapters/linux/self_exec.h"
#include "agent/adapters/linux/unique_fd.h"
#include "agent/app/link_routes.h"
#include "agent/core/link_framer.h"
#include "agent/core/warden.h"

namespace holdfast::agent {

class LinkChild {
 public:
  LinkChild(const SelfExec& self, std::optional<UserIds> user, RouteFile& routes)
      : self_(self), user_(user), routes_(routes) {}

  Status Start();
  // Writes what the warden has until the socket is full.
  void Pump(Warden& warden, Moment at);
  void OnReadable(Warden& warden, Moment at);
  void OnEnded(int wait_status);  // the process was reaped
  // No more is sent; the process then ends by itself.
  void Close() { socket_.Reset(); }
  void Kill();
  void Shrink();

  bool is_up() const { return socket_.is_open(); }
  bool is_running() const { return pid_ > 0; }
  bool has_unsent() const { return sent_ < out_.size(); }
  int fd() const { return socket_.get(); }
  pid_t pid() const { return pid_; }
  const std::string& why() const { return why_; }

 private:
  const SelfExec& self_;
  const std::optional<UserIds> user_;
  RouteFile& routes_;
  UniqueFd socket_;
  pid_t pid_ = -1;
  std::string why_;
  std::string out_;
  std::size_t sent_ = 0;
  LinkFramer framer_;
};

}  // namespace holdfast::agent
