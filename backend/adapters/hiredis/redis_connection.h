// RedisConnection: one asynchronous connection of hiredis on a libev loop, made once and lost once.
//
// Private to this folder. Hides how hiredis frees contexts from inside callbacks: after Drop(), or
// after OnConnectionLost, no callback of this connection reaches its owner any more.
//
// Limits:    no byte is kept for more than a reply of ours can take: what is larger in bytes, elements or
//            depth, or was not asked for, drops the connection before there is memory for it.
// Threading: loop thread only.
// Errors:    whatever Redis sends ends in OnReply() or OnConnectionLost(), never in an abort.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <ev.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "backend/core/redis_access.h"
#include "common/base/result.h"

namespace holdfast::backend {

// One XREAD brings at most kEntriesPerRead entries of kMaxEntryBytes, and some framing. What is not a read is
// answered with a number, an id or a few words.
inline constexpr int kEntriesPerRead = 64;
inline constexpr std::size_t kMaxReadBytes = std::size_t{33} * 1024 * 1024;
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxReplyElements = 1024;  // of one array
inline constexpr int kMaxReplyDepth = 6;                // XREAD's strings lie five arrays deep
// Read in one turn of a reply that is on its way: a chunk of output and its frame fit.
inline constexpr std::size_t kReadAheadBytes = std::size_t{512} * 1024;

// Redis's word for "you may not": nothing that waiting helps.
bool IsDenial(std::string_view error);

// Of a reply to ROLE.
bool IsMaster(const redisReply& reply);

class RedisConnectionOwner {
 public:
  virtual ~RedisConnectionOwner() = default;
  virtual void OnConnected() = 0;
  virtual void OnConnectionLost(std::string why) = 0;  // also when it never stood
  // `reply` is null when the connection went before it came. `tag` as given to Send().
  virtual void OnReply(int kind, std::size_t tag, const redisReply* reply) = 0;
};

class RedisConnection {
 public:
  // `max_reply_bytes`: of one whole reply, with what it takes to hold it.
  RedisConnection(struct ev_loop* loop, RedisConnectionOwner& owner, std::size_t max_reply_bytes)
      : loop_(loop), owner_(owner), max_reply_bytes_(max_reply_bytes) {}
  ~RedisConnection() { Drop(); }
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  // unix:///path or redis://host:port. Who is not let in loses the connection, with Redis's reason.
  void Dial(const std::string& url, const RedisLogin& login);
  void Drop();
  bool up() const { return up_; }
  // Seconds since something was asked (or dialled) without any answer since; 0: nothing is awaited.
  double silent_s() const;
  // `kind` and `tag` come back with the reply.
  void Send(int kind, std::size_t tag, const std::vector<std::string_view>& words);

 private:
  struct Events;
  struct Pending {
    RedisConnection* connection;
    int kind;
    std::size_t tag;
  };
  static void OnHiredisReply(redisAsyncContext* context, void* reply, void* pending);
  static void OnLoginReply(redisAsyncContext* context, void* reply, void* none);
  // What hiredis calls to make the parts of a reply; null makes it give up.
#if HIREDIS_MAJOR >= 1
  static void* CreateArray(const redisReadTask* part, std::size_t elements);
#else
  static void* CreateArray(const redisReadTask* part, int elements);
#endif
  static void* CreateString(const redisReadTask* part, char* text, std::size_t size);
  static bool Admits(const redisReadTask* part, std::size_t elements, std::size_t bytes);
  bool HasUnasked() const;
  void GuardReader();
  void ReadAhead();
  void LogIn(const RedisLogin& login);
  void Lose(std::string why);

  struct ev_loop* const loop_;
  RedisConnectionOwner& owner_;
  const std::size_t max_reply_bytes_;
  std::size_t reply_bytes_ = 0;  // of the reply that hiredis is making
  bool is_too_large_ = false;    // why hiredis will have given up
  redisAsyncContext* context_ = nullptr;
  bool up_ = false;
  std::size_t unanswered_ = 0;
  double silent_since_ = 0;  // loop time
  std::string ahead_;        // empty until a large reply comes
};

}  // namespace holdfast::backend
