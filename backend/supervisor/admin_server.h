// AdminServer: /healthz and /metrics over plain HTTP, for load balancers and Prometheus.
//
// Answers one GET a connection and closes it. Not a web server: docs/decisions/0016-admin-http.md.
//
// Limits:    kMaxConnections at once, the rest waits in the backlog; 4 KiB of request; 5 s a connection.
// Ownership: owns its listener and connections; borrows loop and source.
// Threading: loop thread only.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>

#include <ev.h>

#include "backend/adapters/linux/listener.h"

namespace holdfast::backend {

struct AdminAnswer {
  int status = 200;  // 200 or 503
  std::string body;
};
class AdminSource {
 public:
  virtual ~AdminSource() = default;
  virtual AdminAnswer Health() = 0;
  virtual AdminAnswer Metrics() = 0;
};

class AdminServer final : private ListenerDelegate {
 public:
  static Result<std::unique_ptr<AdminServer>> Open(struct ev_loop* loop,
                                                   const ListenAddress& address,
                                                   AdminSource& source);
  ~AdminServer() override;
  std::string address() const { return listener_->address(); }

 private:
  struct Connection;
  AdminServer(struct ev_loop* loop, AdminSource& source);
  void OnAcceptable(Listener& listener) override;
  void OnReady(Connection& connection);
  bool Read(Connection& connection);
  void Close(Connection& connection);
  std::string Answer(std::string_view request);

  struct ev_loop* const loop_;
  AdminSource& source_;
  std::unique_ptr<Listener> listener_;
  std::list<Connection> connections_;
};

}  // namespace holdfast::backend
