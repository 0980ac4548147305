// OwnLink: which packets are the agent's own: a capture that sends its packets through them would have no end.
//
// They are those between this machine and an address and port that the link process is connected to.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/verbs/capture_frames.h"

namespace holdfast::agent {

class OwnLink {
 public:
  OwnLink();
  bool is_known() const { return pid_ > 0; }
  void Look();  // again, where it is connected to; cheap when nothing changed
  bool Has(const TcpEnds& ends) const;

 private:
  void ReadPeers(const char* file);

  ProcfsMachine machine_;
  std::int64_t pid_ = 0;
  std::set<std::uint64_t> sockets_;  // inodes
  std::vector<TcpEnd> peers_;
};

}  // namespace holdfast::agent
