// RedisFinder: where Redis is now. A URL of one Redis is the answer itself; of several Sentinels, or nodes of a cluster, one
// is asked, each time the next one: who is dead, frozen or wrong costs one try, and who redials gets to the others.
//
//   Find --> [RedisFinder] --> OnFound(address) | OnNotFound(why)
//
// What it says is a hint: whoever was asked may be behind. Whoever dials asks ROLE there before it believes.
//
// Limits:    one question in flight; kGuideSeconds for it; a map of a cluster of kMaxMapBytes.
// Ownership: borrows loop and owner until destroyed.
// Threading: loop thread only. The owner may call every method from inside its own; each answer is given once.
// Errors:    OnNotFound() says whom it asked, and what it was: kDenied if a cluster's node does not let us ask, else
//            kUnavailable.
// Design:    docs/decisions/0152-sentinel.md, 0154-redis-cluster.md
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
  virtual void OnNotFound(const Error& why) = 0;
};

class RedisFinder final : private RedisConnectionOwner {
 public:
  static constexpr double kGuideSeconds = 1;
  // 1,024 ranges of slots (kMaxReplyElements), each with a master and five replicas.
  static constexpr std::size_t kMaxMapBytes = std::size_t{4} * 1024 * 1024;

  // `url`: one that ParseRedisPlace() takes.
  RedisFinder(struct ev_loop* loop, std::string_view url, RedisFinderOwner& owner);
  ~RedisFinder() override;
  RedisFinder(const RedisFinder&) = delete;
  RedisFinder& operator=(const RedisFinder&) = delete;

  // `login`: at a cluster's nodes; Sentinels are asked without. Takes the place of a search that is under way.
  void Find(const RedisLogin& login);
  void Drop();
  // Another one may be the master by the next Find().
  bool may_move() const { return !place_.guides.empty(); }
  bool is_cluster() const { return place_.is_cluster(); }

 private:
  void OnConnected() override;
  void OnConnectionLost(std::string why) override;
  void OnReply(int kind, std::size_t tag, const redisReply* reply) override;
  void OnMap(const redisReply& reply);
  void Take(const Result<std::string>& address);
  void Fail(std::string why);

  struct ev_loop* const loop_;
  const RedisPlace place_;
  RedisFinderOwner& owner_;
  RedisConnection connection_;
  ev_timer patience_{};
  std::size_t asked_ = 0;  // of place_.guides, and one more than that while none was asked
};

}  // namespace holdfast::backend
