#include "backend/supervisor/redis_probe.h"

#include <utility>

namespace holdfast::backend {

RedisProbe::RedisProbe(struct ev_loop* loop, std::string url, RedisLogin login)
    : connection_(loop, *this, kMaxAnswerBytes), url_(std::move(url)), login_(std::move(login)) {}

void RedisProbe::OnSecond() {
  // As for the others (decisions/0031): it may answer on a new connection, and will not on this one.
  if (connection_.silent_s() > kMaxUnanswered) connection_.Drop();
  if (!connection_.up()) return connection_.Dial(url_, login_);
  ++unanswered_;
  connection_.Send(0, 0, {"PING"});
}

void RedisProbe::OnConnected() { OnSecond(); }

void RedisProbe::OnConnectionLost(std::string why) {
  answered_ = false;
  trouble_ = IsDenial(why) ? std::move(why) : std::string("no answer");
  connection_.Drop();
}

void RedisProbe::OnReply(int /*kind*/, std::size_t /*tag*/, const redisReply* reply) {
  if (reply == nullptr) return;
  answered_ = reply->type != REDIS_REPLY_ERROR;  // -LOADING is not an answer
  trouble_ = answered_ ? std::string("no answer") : std::string(reply->str, reply->len);
  unanswered_ = 0;
}

}  // namespace holdfast::backend
