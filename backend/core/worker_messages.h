// What the supervisor and its children (gateways, controls) say over their SOCK_SEQPACKET pair.
//
// One datagram = one message: u8 type | payload; a socket travels beside kAgentSocket and kApiSocket
// as SCM_RIGHTS. The child finds the pair at fd 3, the counters page (counters.h) at fd 4.
//
// Limits:    4 KiB a datagram. A child that does not send kAlive for 15 s is killed and replaced.
#pragma once

#include <cstdint>

namespace holdfast::backend {

enum class WorkerMessageType : std::uint8_t {
  // supervisor -> child
  kAgentSocket = 1,  // to a gateway, with one fd; payload: peer address as text
  kApiSocket = 2,    // to control, with one fd; payload: peer address as text
  kControl = 3,      // to a gateway: payload: instance name of the current control
  kDrain = 4,        // finish: take no new links, say goodbye, exit 0 when empty
  // Set this command aside at this agent: a process died over it three times. payload: what
  // CounterBlock::at_hand held, agent id (16 B) and digest (32 B).
  kPoison = 6,
  // child -> supervisor
  kReady = 16,  // the child can take sockets
  kAlive = 17,  // every second
};

inline constexpr int kSupervisorFd = 3;
inline constexpr int kCountersFd = 4;

}  // namespace holdfast::backend
