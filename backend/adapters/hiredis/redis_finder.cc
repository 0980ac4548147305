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
      connection_(loop, *this, kMaxMapBytes),
      asked_(place_.guides.size()) {
  ev_timer_init(
      &patience_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<RedisFinder*>(timer->data)->Fail("no answer");
      },
      kGuideSeconds, 0.0);
  patience_.data = this;
}

RedisFinder::~RedisFinder() { Drop(); }

void RedisFinder::Drop() {
  ev_timer_stop(loop_, &patience_);
  connection_.Drop();
}

void RedisFinder::Find(const RedisLogin& login) {
  Drop();
  if (place_.guides.empty()) return owner_.OnFound(place_.url);
  asked_ = asked_ + 1 >= place_.guides.size() ? 0 : asked_ + 1;
  ev_timer_set(&patience_, kGuideSeconds, 0.0);
  ev_timer_start(loop_, &patience_);
  connection_.Dial(place_.guides[asked_], is_cluster() ? login : RedisLogin());
}

void RedisFinder::OnConnected() {
  if (is_cluster()) return connection_.Send(0, 0, {"CLUSTER", "SLOTS"});
  connection_.Send(0, 0, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", place_.master});
}

void RedisFinder::OnConnectionLost(std::string why) { Fail(std::move(why)); }

void RedisFinder::OnReply(int /*kind*/, std::size_t /*tag*/, const redisReply* reply) {
  if (reply == nullptr) return;  // the connection is going; OnConnectionLost follows
  if (reply->type == REDIS_REPLY_ERROR) return Fail(std::string(reply->str, reply->len));
  if (is_cluster()) return OnMap(*reply);
  if (reply->type == REDIS_REPLY_NIL) return Fail("it knows no master of that name");
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) return Fail("not a Sentinel");
  Take(RedisAddressOf(TextOf(*reply->element[0]), TextOf(*reply->element[1])));
}

// [[first, last, [host, port, ...], replicas...], ...]
void RedisFinder::OnMap(const redisReply& reply) {
  static const auto kSlot = static_cast<long long>(SlotOf(kClusterTag));
  if (reply.type != REDIS_REPLY_ARRAY) return Fail("not a node of a cluster");
  for (std::size_t i = 0; i < reply.elements; ++i) {
    const redisReply& range = *reply.element[i];
    if (range.type != REDIS_REPLY_ARRAY || range.elements < 3) return Fail("not a map of slots");
    const redisReply& first = *range.element[0];
    const redisReply& last = *range.element[1];
    const redisReply& master = *range.element[2];
    if (first.type != REDIS_REPLY_INTEGER || last.type != REDIS_REPLY_INTEGER ||
        master.type != REDIS_REPLY_ARRAY || master.elements < 2 ||
        master.element[1]->type != REDIS_REPLY_INTEGER) {
      return Fail("not a map of slots");
    }
    if (kSlot < first.integer || kSlot > last.integer) continue;
    return Take(NodeAddressOf(TextOf(*master.element[0]),
                              std::to_string(master.element[1]->integer), place_.guides[asked_]));
  }
  Fail("its cluster serves slot " + std::to_string(kSlot) + " nowhere");
}

void RedisFinder::Take(const Result<std::string>& address) {
  if (!address.ok()) return Fail(address.error().message);
  Drop();  // no other question on it: the next one is asked elsewhere
  owner_.OnFound(address.value());
}

void RedisFinder::Fail(std::string why) {
  Drop();
  const bool is_denied = is_cluster() && IsDenial(why);
  owner_.OnNotFound(
      {is_denied ? Code::kDenied : Code::kUnavailable,
       (is_cluster() ? "node " : "Sentinel at ") + place_.guides[asked_] + ": " + std::move(why)});
}

}  // namespace holdfast::backend
