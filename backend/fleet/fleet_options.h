// FleetOptions: what holdfast-fleet was asked to do. main.cc fills it in.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::fleet {

// What one process may hold: the reference box gives it 20,000 descriptors.
inline constexpr unsigned kMaxAgents = 60000;

struct FleetOptions {
  std::string bundle_file;         // as `holdfast enrol token` printed it
  unsigned agents = 1;             // 1..kMaxAgents
  std::string state_dir;           // identities live here; empty: new ones, forgotten at the end
  std::string source_base;         // first IPv4 address to connect from; empty: the system's choice
  unsigned ramp_per_second = 200;  // new connections a second at most
  unsigned seconds = 0;            // how long to run; 0 = until a signal
  bool json = false;               // the report on stdout as one JSON object
};

}  // namespace holdfast::fleet
