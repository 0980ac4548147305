// The experiments of holdfast-seed-client. Each prints its rows as JSON lines.
//
// Threading: each owns its loop; blocks until it is over.
// Errors:    as LinkSet; kUnavailable: the clients did not all get a connection within kConnectPatience.
// Design:    docs/benchmarks/seed.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sys/types.h>

#include "common/base/result.h"
#include "tests/bench/seed/client/link_set.h"
#include "tests/bench/seed/client/round_tally.h"

namespace holdfast::bench {

inline constexpr std::int64_t kSecondUs = 1'000'000;

struct Experiment {
  LinkSet::Options links;
  std::vector<std::size_t> clients;  // rounds: of each; else: only the last counts
  std::size_t requests = 50;         // rounds: of each client
  std::uint32_t stall_s = 20;        // rounds; RoundTally
  std::uint32_t extra_s = 100;
  std::size_t repeat_last = 1;  // rounds: so often in all
  bool requests_together =
      false;                  // rounds: one send() for all of a client's requests, not one each
  std::uint32_t seconds = 5;  // ping-pong
  std::vector<pid_t> server_pids;  // whose processor time is counted
};

// Adds clients up to each number, waits for all, lets all send their requests at once, waits for the answers.
Status RunRounds(const Experiment& experiment);
// One request outstanding on each link, the next one when it is answered.
Status RunPingPong(const Experiment& experiment);
// Connects, asks once on each link, says so, and keeps the links until its standard input ends.
Status RunHold(const Experiment& experiment);

// For the above: connects until the set has `clients`; seconds until the last was open.
Result<double> ConnectUpTo(LinkSet& set, std::size_t clients);

}  // namespace holdfast::bench
