// RedisProbe: asks Redis once a second whether it is there, for /healthz. Silence for kMaxUnanswered seconds is a
// lost connection, which is dialled again. With Sentinels only a master counts; of a cluster the one that has our streams, while
// the cluster serves: it is asked for a key that is where they are.
#pragma once

#include <string>

#include <ev.h>

#include "backend/adapters/hiredis/redis_connection.h"
#include "backend/adapters/hiredis/redis_finder.h"

namespace holdfast::backend {

class RedisProbe final : private RedisConnectionOwner, private RedisFinderOwner {
 public:
  RedisProbe(struct ev_loop* loop, const std::string& url, RedisLogin login);
  void OnSecond();
  bool answers() const { return unanswered_ < kMaxUnanswered && answered_; }
  // Why not: Redis's own words if it said no.
  const std::string& trouble() const { return trouble_; }

 private:
  static constexpr int kMaxUnanswered = 3;
  enum Kind : int { kPing, kRole };
  void OnFound(const std::string& address) override;
  void OnNotFound(const Error& why) override;
  void OnConnected() override;
  void OnConnectionLost(std::string why) override;
  void OnReply(int kind, std::size_t tag, const redisReply* reply) override;

  RedisConnection connection_;
  RedisFinder finder_;
  const RedisLogin login_;
  std::string trouble_ = "no answer";
  int unanswered_ = 0;  // PINGs since the last answer
  bool answered_ = false;
};

}  // namespace holdfast::backend
