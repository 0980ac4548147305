// OrderSocket: what `holdfastd roll`, `scale`, `reload` and `backup` say to the holdfastd that runs.
//
// A Unix socket in the run directory, for whoever may write there. One order a connection: a line with
// its words. Answers are lines, "- TEXT" while it goes on and one "0 TEXT" (done) or "1 TEXT" (not) at its end.
//
//   client --> OnOrder --> Say* End --> client
//
// Ordering:  a client that goes away changes nothing of itself: OnClientGone() says so, once, unless End() came first.
// Limits:    kMaxClients at once, the others wait in the backlog; a word of 32 bytes within 5 s; a client that
//            does not take its answers is dropped.
// Ownership: owns its listener and connections; borrows loop and delegate.
// Threading: loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <ev.h>

#include "backend/adapters/linux/listener.h"

namespace holdfast::backend {

class OrderDelegate {
 public:
  virtual ~OrderDelegate() = default;
  virtual void OnOrder(std::uint64_t client, std::string_view word) = 0;
  virtual void OnClientGone(std::uint64_t client) = 0;
};

class OrderSocket final : private ListenerDelegate {
 public:
  static Result<std::unique_ptr<OrderSocket>> Open(struct ev_loop* loop, const std::string& path,
                                                   OrderDelegate& delegate);
  ~OrderSocket() override;

  // A client that is gone is not told.
  void Say(std::uint64_t client, std::string_view text);
  void End(std::uint64_t client, bool done, std::string_view text);

 private:
  struct Connection;
  OrderSocket(struct ev_loop* loop, OrderDelegate& delegate);
  void OnAcceptable(Listener& listener) override;
  void OnReadable(std::uint64_t client);
  void Send(std::uint64_t client, const std::string& line);
  void Close(std::uint64_t client);
  void Lose(std::uint64_t client);

  struct ev_loop* const loop_;
  OrderDelegate& delegate_;
  std::unique_ptr<Listener> listener_;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::uint64_t next_client_ = 1;
};

}  // namespace holdfast::backend
