#include "backend/supervisor/redis_probe.h"

#include <string_view>
#include <utility>

namespace holdfast::backend {

RedisProbe::RedisProbe(struct ev_loop* loop, const std::string& url, RedisLogin login)
    : connection_(loop, *this, kMaxAnswerBytes),
      finder_(loop, url, *this),
      login_(std::move(login)) {}

void RedisProbe::OnSecond() {
  // As for the others (decisions/0031): it may answer on a new connection, and will not on this one.
  if (connection_.silent_s() > kMaxUnanswered) connection_.Drop();
  if (!connection_.up()) return finder_.Find(login_);
  ++unanswered_;
  if (!finder_.is_cluster()) return connection_.Send(kPing, 0, {"PING"});
  connection_.Send(kPing, 0, {"EXISTS", std::string(kClusterTag) + "hf:probe"});
}

void RedisProbe::OnFound(const std::string& address) { connection_.Dial(address, login_); }

void RedisProbe::OnNotFound(const Error& why) {
  answered_ = false;
  trouble_ = why.message;
}

void RedisProbe::OnConnected() {
  if (finder_.may_move()) connection_.Send(kRole, 0, {"ROLE"});
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
  // Our streams are elsewhere, or nowhere just now: who has them is asked anew.
  if (!answered_ && finder_.is_cluster()) connection_.Drop();
}

}  // namespace holdfast::backend
