// Rollout: the commands of one `update start`, as the backend holds them, ring by ring.
//
// Nothing is kept here: the commands themselves say which release they are, and which ring comes before theirs.
//
// Threading: one thread.
// Errors:    kNotFound: no update was ever ordered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/cli/job.h"
#include "backend/sdk/client.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::cli {

struct RingStanding {
  std::uint64_t targets = 0;
  std::uint64_t updated = 0;
  std::uint64_t rolled_back = 0;
  std::uint64_t failed = 0;     // any other end
  std::uint64_t under_way = 0;  // handed over, in its time
  std::uint64_t silent = 0;     // handed over, and no answer in time
  std::uint64_t waiting = 0;    // not handed over: held back, or the agent is away
  bool held = false;            // by the ring before it
  bool halted = false;
};

struct RolloutJob {
  Job job;
  std::size_t ring = 0;  // from 0
  std::vector<sdk::Target> open;
};

struct Rollout {
  std::string version;
  std::uint64_t issued_ms = 0;
  std::vector<RingStanding> rings;
  std::vector<RolloutJob> jobs;
};

Result<Rollout> LastRollout(const sign::Crypto& crypto, sdk::Client& client, WallTime now);

}  // namespace holdfast::cli
