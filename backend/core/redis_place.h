// RedisPlace: what redis.url says: one Redis, or the Sentinels that know which one is the master.
//
//   unix:///PATH   redis://HOST:PORT   sentinel://HOST:PORT,HOST:PORT,.../MASTER
//
// Limits:    kMaxSentinels; a master's name of 1..64 letters, digits and ".-_", which are Sentinel's own.
// Threading: values and pure functions.
// Errors:    kInvalid: says which of the three it must be.
// Design:    docs/decisions/0152-sentinel.md
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::backend {

inline constexpr std::size_t kMaxSentinels = 9;

struct RedisPlace {
  std::string url;                     // as it was given
  std::vector<std::string> sentinels;  // redis://HOST:PORT each; empty: `url` is Redis itself
  std::string master;                  // what they call it
};
Result<RedisPlace> ParseRedisPlace(std::string_view url);

// What a Sentinel says of a master, as redis://HOST:PORT. It is believed about where, not about how that is spelled.
Result<std::string> RedisAddressOf(std::string_view host, std::string_view port);

}  // namespace holdfast::backend
