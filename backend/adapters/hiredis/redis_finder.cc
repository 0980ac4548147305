#include "backend/adapters/hiredis/redis_finder.h"

#include <utility>

#include "common/base/check.h"

namespace holdfast::backend {
namespace {

RedisPlace CheckedPlace(std::string_view url) {
  auto place = ParseRedisPlace(url);
  HF_CHECK(place.ok());  // the configuration was checked
  return std::move(place).value();
}

std::string_view TextOf(const redisReply& reply) {
  const bool is_text = reply.type == REDIS_REPLY_STRING && reply.str != nullptr;
  return is_text ? std::string_view(reply.str, reply.len) : std::string_view();
}

}  // namespace

RedisFinder::RedisFinder(struct ev_loop* loop, std::string_view url, RedisFinderOwner& owner)
    : loop_(loop),
      place_(CheckedPlace(url)),
      owner_(owner),
      connection_(loop, *this, kMaxAnswerBytes),
      asked_(place_.sentinels.size()) {
  ev_timer_init(
      &patience_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<RedisFinder*>(timer->data)->Fail("no answer");
      },
      kSentinelSeconds, 0.0);
  patience_.data = this;
}

RedisFinder::~RedisFinder() { Drop(); }

void RedisFinder::Drop() {
  ev_timer_stop(loop_, &patience_);
  connection_.Drop();
}

void RedisFinder::Find() {
  Drop();
  if (place_.sentinels.empty()) return owner_.OnFound(place_.url);
  asked_ = asked_ + 1 >= place_.sentinels.size() ? 0 : asked_ + 1;
  ev_timer_set(&patience_, kSentinelSeconds, 0.0);
  ev_timer_start(loop_, &patience_);
  connection_.Dial(place_.sentinels[asked_], RedisLogin());
}

void RedisFinder::OnConnected() {
  connection_.Send(0, 0, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", place_.master});
}

void RedisFinder::OnConnectionLost(std::string why) { Fail(std::move(why)); }

void RedisFinder::OnReply(int /*kind*/, std::size_t /*tag*/, const redisReply* reply) {
  if (reply == nullptr) return;  // the connection is going; OnConnectionLost follows
  if (reply->type == REDIS_REPLY_ERROR) return Fail(std::string(reply->str, reply->len));
  if (reply->type == REDIS_REPLY_NIL) return Fail("it knows no master of that name");
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return Fail("not a Sentinel");
  auto address = RedisAddressOf(TextOf(*reply->element[0]), TextOf(*reply->element[1]));
  if (!address.ok()) return Fail(address.error().message);
  Drop();  // no other question on it: the next one is asked elsewhere
  owner_.OnFound(address.value());
}

void RedisFinder::Fail(std::string why) {
  Drop();
  owner_.OnNotFound("Sentinel at " + place_.sentinels[asked_] + ": " + std::move(why));
}

}  // namespace holdfast::backend
