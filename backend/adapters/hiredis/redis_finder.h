// RedisFinder: where Redis is now. A URL of one Redis is the answer itself; of several Sentinels one is asked, each time
// the next one: a Sentinel that is dead, frozen or wrong costs one try, and who redials gets to the others.
//
//   Find --> [RedisFinder] --> OnFound(address) | OnNotFound(why)
//
// What it says is a hint: a Sentinel may be behind. Whoever dials asks ROLE there before it believes.
//
// Limits:    one question in flight; kSentinelSeconds for it.
// Ownership: borrows loop and owner until destroyed.
// Threading: loop thread only. The owner may call every method from inside its own; each answer is given once.
// Errors:    OnNotFound() says which Sentinel, and what it was.
// Design:    docs/decisions/0152-sentinel.md
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <ev.h>

#include "backend/adapters/hiredis/redis_connection.h"
#include "backend/core/redis_place.h"

namespace holdfast::backend {

class RedisFinderOwner {
 public:
  virtual ~RedisFinderOwner() = default;
  virtual void OnFound(const std::string& address) = 0;
  virtual void OnNotFound(std::string why) = 0;
};

class RedisFinder final : private RedisConnectionOwner {
 public:
  static constexpr double kSentinelSeconds = 1;

  // `url`: one that ParseRedisPlace() takes.
  RedisFinder(struct ev_loop* loop, std::string_view url, RedisFinderOwner& owner);
  ~RedisFinder() override;
  RedisFinder(const RedisFinder&) = delete;
  RedisFinder& operator=(const RedisFinder&) = delete;

  void Find();  // takes the place of one that is under way
  void Drop();
  bool has_sentinels() const { return !place_.sentinels.empty(); }

 private:
  void OnConnected() override;
  void OnConnectionLost(std::string why) override;
  void OnReply(int kind, std::size_t tag, const redisReply* reply) override;
  void Fail(std::string why);

  struct ev_loop* const loop_;
  const RedisPlace place_;
  RedisFinderOwner& owner_;
  RedisConnection connection_;
  ev_timer patience_{};
  std::size_t asked_ = 0;  // of place_.sentinels, and one more than that while none was asked
};

}  // namespace holdfast::backend
