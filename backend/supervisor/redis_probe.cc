#include "backend/supervisor/redis_probe.h"

#include <utility>

namespace holdfast::backend {

RedisProbe::RedisProbe(struct ev_loop* loop, const std::string& url, RedisLogin login)
    : connection_(loop, *this, kMaxAnswerBytes),
      finder_(loop, url, *this),
      login_(std::move(login)) {}

void RedisProbe::OnSecond() {
  // As for the others (decisions/0031): it may answer on a new connection, and will not on this one.
  if (connection_.silent_s() > kMaxUnanswered) connection_.Drop();
  if (!connection_.up()) return finder_.Find();
  ++unanswered_;
  connection_.Send(kPing, 0, {"PING"});
}

void RedisProbe::OnFound(const std::string& address) { connection_.Dial(address, login_); }

void RedisProbe::OnNotFound(std::string why) {
  answered_ = false;
  trouble_ = std::move(why);
}

void RedisProbe::OnConnected() {
  if (finder_.has_sentinels()) connection_.Send(kRole, 0, {"ROLE"});
  OnSecond();
}

void RedisProbe::OnConnectionLost(std::string why) {
  answered_ = false;
  trouble_ = IsDenial(why) ? std::move(why) : std::string("no answer");
  connection_.Drop();
}

void RedisProbe::OnReply(int kind, std::size_t /*tag*/, const redisReply* reply) {
  if (reply == nullptr) return;
  if (kind == kRole && reply->type != REDIS_REPLY_ERROR) {
    if (IsMaster(*reply)) return;
    OnConnectionLost("");
    trouble_ = "no master yet";
    return;
  }
  answered_ = reply->type != REDIS_REPLY_ERROR;  // -LOADING is not an answer
  trouble_ = answered_ ? std::string("no answer") : std::string(reply->str, reply->len);
  unanswered_ = 0;
}

}  // namespace holdfast::backend
