// FleetOptions: what holdfast-fleet was asked to do. main.cc fills it in.
#pragma once

#include <cstdint>
#include <string>

#include "backend/fleet/behaviour.h"

namespace holdfast::fleet {

// A process of the reference box has 20,000 descriptors; 2,000 are left for links that are being replaced.
inline constexpr std::uint32_t kAgentsPerProcess = 18000;

struct Ramp {
  std::uint32_t per_second = 200;   // new links a second at most; 0: no bound
  std::uint32_t round_agents = 0;   // 0: no rounds; else so many at a time ...
  std::uint32_t round_seconds = 0;  // ... each time this many seconds are over

  // How many agents may be up by now, the first from the very beginning.
  std::uint64_t AllowedAfter(std::uint64_t elapsed_ms) const {
    if (round_agents > 0) return round_agents * (1 + elapsed_ms / 1000 / round_seconds);
    if (per_second == 0) return ~std::uint64_t{0};
    return 1 + elapsed_ms * per_second / 1000;
  }
};

struct FleetOptions {
  std::string bundle_file;   // as `holdfast enrol token` printed it, or of `holdfast-fleet enrol`
  std::uint32_t agents = 1;  // 1..kMaxAgents
  std::uint32_t per_process = kAgentsPerProcess;
  std::string state_dir;          // identities live here; empty: new ones, forgotten at the end
  std::string source_base;        // first IPv4 address to connect from; empty: the system's choice
  std::uint32_t in_flight = 500;  // agents that dial for the first time at once, at most
  Ramp ramp;
  Mix mix;
  bool full_handshakes = false;  // TLS sessions are never resumed
  std::uint32_t seconds = 0;     // how long to run; 0 = until a signal
  bool json = false;             // the report on stdout as one JSON object
  bool steered = false;          // orders come on stdin, a line each: "agents N", "figures"
};

}  // namespace holdfast::fleet
