// Sizing: from what a few thousand links cost on this machine to what it will hold, in words and figures.
//
//   Measured --> PlanFor(agents) --> TextOf
//
// Threading: values and pure functions.
// Design:    docs/operations/sizing.md
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::fleet {

// A run of `agents` simulated agents against a backend on the same machine.
struct Measured {
  bool tls = false;
  std::uint32_t cores = 1;
  std::uint64_t memory_bytes = 0;      // of the machine
  std::uint64_t free_descriptors = 0;  // that one process may have
  std::uint32_t agents = 0;
  std::uint64_t base_bytes = 0;         // private memory of the backend without a link
  std::uint64_t linked_bytes = 0;       // ... and with all of them
  std::uint64_t kernel_bytes = 0;       // growth of the kernel's slab, both ends of each connection
  std::uint64_t connect_server_us = 0;  // CPU time of the backend to take them all
  std::uint64_t connect_wall_ms = 0;    // and how long that took, the simulator's work included
  std::uint64_t fixed_us_per_s = 0;     // CPU time of the backend without a link
  std::uint64_t idle_server_us = 0;     // ... and while all of them were idle
  std::uint64_t idle_ms = 0;            // for so long
  std::uint64_t beats = 0;              // in that time
};

struct Plan {
  std::uint64_t agents = 0;
  // An agent's share.
  double user_bytes = 0;
  double kernel_bytes = 0;  // one end: the other is on the agents' machines
  double connect_us = 0;
  double beat_us = 0;
  double beats_per_second = 0;  // of all agents
  // All of them.
  double memory_bytes = 0;
  double idle_cores = 0;      // for heartbeats
  double return_seconds = 0;  // until all are back after a restart of everything
  std::uint64_t gateways = 0;
  bool fits = false;
  std::uint64_t most_agents = 0;  // by memory and heartbeats
  bool memory_is_the_bound = true;
};

// Of the memory this much is planned with; the rest is for commands, results and the page cache.
inline constexpr double kUsableMemory = 0.8;
// Heartbeats may take this share of the processors, commands the rest.
inline constexpr double kUsableCores = 0.5;

Plan PlanFor(const Measured& measured, std::uint64_t agents);
std::string TextOf(const Measured& measured, const Plan& plan);

}  // namespace holdfast::fleet
