// What the supervisor and its children (gateways, controls) say over their SOCK_SEQPACKET pair.
//
// One datagram = one message: u8 type | payload; a socket travels beside kAgentSocket and kApiSocket
// as SCM_RIGHTS. The child finds the pair at fd 3, the counters page (counters.h) at fd 4, at fd 5 the
// text of the configuration that its supervisor runs on (the file may say something else by now), and at fd 6
// who it is to Redis (redis_access.h).
//
// When the supervisor is gone, a gateway looks for the next one and goes on with a new pair
// (adapters/linux/adoption_socket.h); everybody else ends.
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
  // Finish, exit 0 when empty. payload: whole seconds within which a gateway's agents leave, each at a moment
  // of its own; empty: at once.
  kDrain = 4,
  kReload = 5,  // payload: LiveSettings; also once after kReady
  // To control: set this command aside, processes died over it three times. payload: what
  // CounterBlock::at_hand held, agent id (16 B; zeros: every one) and digest (32 B).
  kPoison = 6,
  // To a gateway: ask links to go, idle ones first. payload: "LINKS SECONDS", how many and within which window.
  kShed = 7,
  // To control: copy the ledger for a backup, payload: which request it is (copy_request.h); the second: that
  // copy is no longer needed.
  kCopyLedger = 8,
  kDropCopy = 9,
  // To a gateway: payload: EncodeTicketKeys(); before its first socket, and when they change.
  kTicketKeys = 10,
  // To a gateway that this supervisor did not start: who it is to Redis now. payload: EncodeRedisLogin().
  kRedisLogin = 11,
  // child -> supervisor
  kReady = 16,  // the child can take sockets
  kAlive = 17,  // every second
  // From a gateway: these sockets are links now, or gone. payload: peer addresses as given with
  // kAgentSocket, one a line.
  kHandshakesDone = 18,
  kCopySaid = 19,  // from control, about kCopyLedger. payload: AnswerCopy() (copy_request.h)
};

// What a control ends with whose record another one has: to start it again is of no use.
inline constexpr int kRecordTakenExit = 3;
inline constexpr int kSupervisorFd = 3;
inline constexpr int kCountersFd = 4;
inline constexpr int kConfigFd = 5;
inline constexpr int kRedisLoginFd = 6;

}  // namespace holdfast::backend
