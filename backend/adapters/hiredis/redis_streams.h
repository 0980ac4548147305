// RedisStreams: StreamTransport on a real Redis, over two connections that come back by themselves.
//
// One connection writes, pipelined; the other waits in XREAD for our own stream. When either is lost
// both are dropped, OnLost() is said once, and both are dialled again until OnRestored(). With Sentinels, or a cluster, each
// dial asks one of those first, and what is dialled must say itself that it is a master.
//
//   Add Trim Remove --> writer --> [Redis] --> reader --> delegate
//
// Ordering:  entries in the order of their stream; after OnRestored() the stream is read from its start,
//            also after it was deleted and made anew with lower ids (a clock that went back).
// Life:      a stream that nobody adds to is gone Options::stream_life_s later, read or not: whoever adds says
//            so to Redis along with it (docs/decisions/0094-streams-die-by-themselves.md).
// Limits:    kMaxInFlightBytes are handed to hiredis at a time, the rest waits here, kMaxPendingBytes in
//            all. Redial after 50 ms, doubling to 1 s until a read is answered. Replies: see
//            redis_connection.h; one of a wrong type loses the connection. When none comes for
//            kReplySeconds (XREAD: its BLOCK more) Redis is lost, however well its sockets stand.
// Ownership: borrows loop and delegate until destroyed.
// Threading: loop thread only. The delegate may call every method from inside its own.
// Errors:    Add(): see stream_transport.h. When Redis refuses a write (OOM, LOADING, MISCONF, READONLY)
//            Add() says kUnavailable for the next 100 ms: whoever repeats need not fill a pipe in vain. With Sentinels or
//            a cluster READONLY, MOVED and CLUSTERDOWN are a loss instead: that Redis is not the one any more. ASK, while a slot is
//            being moved, is a refusal of what is added, and of a read of our own stream a loss, until the slot has followed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <ev.h>

#include "backend/adapters/hiredis/redis_connection.h"
#include "backend/adapters/hiredis/redis_finder.h"
#include "backend/core/counters.h"
#include "backend/core/stream_transport.h"

namespace holdfast::backend {

class RedisStreams final : public StreamTransport,
                           private RedisConnectionOwner,
                           private RedisFinderOwner {
 public:
  struct Options {
    std::string url;                   // as ParseRedisPlace() takes it
    std::string own_stream;            // read by us, written by others
    CounterBlock* counters = nullptr;  // kRedisErrors is counted there
    RedisLogin login;
    // Who has not read for so long is dead (15 s, docs/protocol.md 5), and so is what waits for it.
    int stream_life_s = 60;
  };
  RedisStreams(struct ev_loop* loop, Options options, StreamTransportDelegate& delegate);
  ~RedisStreams() override;
  RedisStreams(const RedisStreams&) = delete;
  RedisStreams& operator=(const RedisStreams&) = delete;

  // From the next connection on.
  void SetLogin(RedisLogin login) { options_.login = std::move(login); }
  void SetReading(bool on) override;
  Status Add(std::string_view stream, std::string_view message) override;
  void Trim(std::string_view stream, std::string_view up_to_and_including_id) override;
  void Remove(std::string_view stream) override;
  bool connected() const override { return ready_; }

 private:
  enum Kind : int { kRole, kProbe, kAdd, kExpire, kOther, kRead, kLast };
  struct Waiting {
    std::string stream;
    std::string message;
  };
  void OnFound(const std::string& address) override;
  void OnNotFound(const Error& why) override;
  void OnConnected() override;
  void OnConnectionLost(std::string why) override;
  void OnReply(int kind, std::size_t tag, const redisReply* reply) override;
  void OnRoleReply(const redisReply* reply);
  void OnReadReply(const redisReply* reply);
  void OnLastReply(const redisReply* reply);
  static bool IsOfKind(Kind kind, const redisReply& reply);
  void OnWriteReply(const redisReply* reply);
  bool IsElsewhere(const redisReply& reply) const;
  bool IsAhead(const redisReply& reply) const;
  // What a stream is called where we are.
  std::string KeyOf(std::string_view stream) const;
  bool Deliver(const redisReply& reply);
  void Start(int watcher_wait_ms);
  void LookForSilence();
  void Pump();
  void SendAdd(std::string_view stream, std::string_view message);
  void Prolong(std::string_view stream);
  void ForgetProlonged();
  static void OnTimer(struct ev_loop* loop, ev_timer* timer, int events);
  void ReadMore();
  void CountError();
  void TellIfDenied(std::string_view error);
  void TellDenied(std::string_view error);
  double now() const { return ev_now(loop_); }

  struct ev_loop* const loop_;
  Options options_;
  StreamTransportDelegate& delegate_;
  RedisFinder finder_;
  std::string where_;  // what it found last, for people
  RedisConnection writer_;
  RedisConnection reader_;
  ev_timer timer_{};      // redial, or read again after a refusal
  ev_timer look_{};       // for a Redis that does not answer
  double looked_at_ = 0;  // loop time
  double silent_at_ = 0;  // loop time of the last loss for want of an answer
  double reply_seconds_;  // so long without one is a loss
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::string cursor_ = "0";
  // Loop time at which a stream's life was last made longer, while that is not due again.
  std::map<std::string, double, std::less<>> prolonged_;
  double refused_until_ = 0;  // loop time
  int backoff_ms_;
  bool ready_ = false;      // between OnRestored and OnLost
  bool told_lost_ = false;  // OnLost is said once per loss
  bool told_denied_ = false;
  bool reading_ = true;
  bool read_in_flight_ = false;
};

}  // namespace holdfast::backend
