// KeptSockets: listening sockets that systemd keeps for the backend while it is restarted or has died: who connects meanwhile
// waits, and is not refused.
//
//   Inherited --> Take (for each address that is listened on) --> Store
//
// Without systemd, or where the unit keeps nothing, all of it does nothing.
// Ordering:  Inherited() once, before any thread and any child: it takes what it reads out of the environment.
// Limits:    kMaxKept, more than there are.
// Ownership: owns what was not taken, and closes it.
// Threading: one thread.
// Errors:    none: what is not kept is opened anew.
// Design:    sd_listen_fds(3), sd_notify(3) FDSTORE; docs/decisions/0124-kept-sockets.md
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backend/adapters/linux/unique_fd.h"

namespace holdfast::backend {

class KeptSockets {
 public:
  static constexpr std::size_t kMaxKept = 8;  // FileDescriptorStoreMax of holdfastd.service

  static KeptSockets Inherited();
  // `notify`: a Unix socket that is told; empty: none. For Inherited(), and tests.
  KeptSockets(std::vector<UniqueFd> inherited, std::string notify);
  // The one that listens on `address`, "1.2.3.4:567"; none: not valid.
  UniqueFd Take(const std::string& address);
  // From now on these are kept and no others: an address that is no longer listened on is nobody's.
  void Store(const std::vector<int>& sockets);

 private:
  std::vector<UniqueFd> inherited_;
  std::string notify_;  // where systemd listens; empty: nowhere
};

}  // namespace holdfast::backend
