// RedisPlace: what redis.url says: one Redis, the Sentinels that know which one is the master, or nodes of a cluster.
//
//   unix:///PATH   redis://HOST:PORT   sentinel://HOST:PORT,HOST:PORT,.../MASTER   cluster://HOST:PORT,HOST:PORT,...
//
// Limits:    kMaxGuides Sentinels or nodes; a master's name of 1..64 letters, digits and ".-_", which are Sentinel's own.
// Threading: values and pure functions.
// Errors:    kInvalid: says which of the four it must be.
// Design:    docs/decisions/0152-sentinel.md, 0154-redis-cluster.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::backend {

inline constexpr std::size_t kMaxGuides = 9;

struct RedisPlace {
  std::string url;  // as it was given
  std::vector<std::string>
      guides;          // who is asked, redis://HOST:PORT each; empty: `url` is Redis itself
  std::string master;  // what Sentinels call it; empty: the guides are nodes of a cluster
  bool is_cluster() const { return !guides.empty() && master.empty(); }
};
Result<RedisPlace> ParseRedisPlace(std::string_view url);

// In a cluster every stream's key has this before it: one tag, so one slot, so one master at a time.
inline constexpr std::string_view kClusterTag = "{hf}";
inline constexpr std::uint16_t kClusterSlots = 16384;
// Where a key lies: Redis's own rule (cluster specification, "Key distribution model").
std::uint16_t SlotOf(std::string_view key);

// What a Sentinel or a node says of a master, as redis://HOST:PORT. It is believed about where, not about how that is spelled.
Result<std::string> RedisAddressOf(std::string_view host, std::string_view port);
// What a node of a cluster says, who was asked at `asked`. Without a host it means its own, as it was reached
// (cluster-preferred-endpoint-type unknown-endpoint, or a node that does not know yet what it is called).
Result<std::string> NodeAddressOf(std::string_view host, std::string_view port,
                                  std::string_view asked);

}  // namespace holdfast::backend
