// ProxiedSockets: sockets of trusted proxies, until they have said whose they are.
//
//   Take --> (PROXY header, read and no byte more) --> delegate: OnProxied, with the client's address
//
// Limits:    kMaxUnnamed at once, kHeaderSeconds for the header; who is above or beyond is closed.
// Ownership: owns the sockets that wait; borrows loop, delegate and refusals.
// Threading: loop thread only.
// Errors:    what is wrong with a header closes its socket; ProxyRefusals says which and why.
// Design:    docs/operations/proxies.md
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include <ev.h>

#include "backend/adapters/linux/listener.h"
#include "backend/supervisor/proxy_refusals.h"

namespace holdfast::backend {

class ProxiedDelegate {
 public:
  virtual ~ProxiedDelegate() = default;
  virtual void OnProxied(Listener& listener, Listener::Accepted accepted) = 0;
};

class ProxiedSockets {
 public:
  ProxiedSockets(struct ev_loop* loop, ProxiedDelegate& delegate, ProxyRefusals& refusals);
  ~ProxiedSockets();
  ProxiedSockets(const ProxiedSockets&) = delete;
  ProxiedSockets& operator=(const ProxiedSockets&) = delete;

  void Take(Listener& listener, Listener::Accepted accepted);

 private:
  struct Socket;
  void OnReadable(std::uint64_t number);
  void Refuse(std::uint64_t number, ProxyRefusal why);
  void Pass(std::uint64_t number, std::size_t header_bytes, std::string peer_address);
  void Forget(std::uint64_t number);

  struct ev_loop* const loop_;
  ProxiedDelegate& delegate_;
  ProxyRefusals& refusals_;
  std::map<std::uint64_t, std::unique_ptr<Socket>> sockets_;
  std::uint64_t next_ = 0;
};

}  // namespace holdfast::backend
