// Placement and admission: which gateway gets the next socket, and whether it is accepted at all.
//
// A gateway's load is every socket it was given and has not closed: links, handshakes and sockets still
// on their way to it (scale.md rule 10). At the bounds nothing is refused: the supervisor stops accepting
// and the kernel's backlog waits.
//
// Limits:    TokenBucket: `rate` tokens a second, `burst` at once.
// Threading: thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "common/base/time.h"

namespace holdfast::backend {

struct GatewayLoad {
  bool takes_sockets = false;
  std::uint64_t sockets = 0;
};

// What a gateway needs of descriptors beside its links: the loop's, Redis, the supervisor's channel, logs,
// a certificate while it is read. Some 20 in truth.
inline constexpr std::uint64_t kSpareDescriptors = 32;
// Sockets that a gateway may hold. `configured` 0: as many as its descriptors allow, which also bounds
// what was configured: a socket without a descriptor would be lost.
std::uint64_t MaxSockets(std::uint64_t configured, std::uint64_t descriptors);

class Placement {
 public:
  explicit Placement(std::uint64_t max_sockets) : max_sockets_(max_sockets) {}
  void SetMaxSockets(std::uint64_t max_sockets) { max_sockets_ = max_sockets; }
  // The index of the least loaded gateway; ties go round robin. nullopt: none can take a socket.
  std::optional<std::size_t> Pick(std::span<const GatewayLoad> gateways);

 private:
  std::uint64_t max_sockets_;
  std::size_t last_ = 0;
};

// A tenth of a second's worth of links may come at once.
constexpr std::uint32_t BurstOf(std::uint32_t rate) { return rate < 10 ? 1 : rate / 10; }

class TokenBucket {
 public:
  TokenBucket(std::uint32_t rate, std::uint32_t burst) : rate_(rate), burst_(burst) {}
  void SetRate(std::uint32_t rate, std::uint32_t burst);
  // Is there one?
  bool Has(TimePoint now);
  // Takes one token if there is one.
  bool Take(TimePoint now);

 private:
  std::uint32_t rate_;
  std::uint32_t burst_;
  std::uint64_t milli_tokens_ = 0;
  std::optional<TimePoint> filled_at_;
};

// How long to wait before a child that ended is started again: 0.1 s, doubling to 5 s, and back to the first
// once it has run for 10 s. A program that cannot run must not take a core; one that was killed now and then
// must not keep its users waiting for it.
class RestartBackoff {
 public:
  void OnStarted(TimePoint now) { started_at_ = now; }
  Duration OnEnded(TimePoint now);

 private:
  TimePoint started_at_{};
  Duration next_ = std::chrono::milliseconds(100);
};

}  // namespace holdfast::backend
