// Supervisor: binds the ports, passes sockets on, keeps the other processes alive, and ends them.
//
//   agents' port --> least loaded gateway      API port --> control      admin port --> us
//
// Ordering:  sockets are accepted only while somebody can take them; who comes early waits in the
//            kernel's backlog. The ready file appears when Redis, control and every gateway are ready.
// Limits:    [admission] of the configuration; kAcceptsPerTurn sockets a turn.
// Ownership: owns the children and the listeners; keeps no copy of a socket that it passed on.
// Threading: loop thread only.
// Errors:    Start(): names the port, the file or the directory and what to do about it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ev.h>

#include "backend/adapters/linux/listener.h"
#include "backend/adapters/linux/log_writer.h"
#include "backend/core/config.h"
#include "backend/core/placement.h"
#include "backend/supervisor/admin_server.h"
#include "backend/supervisor/child.h"
#include "backend/supervisor/redis_probe.h"

namespace holdfast::backend {

class Supervisor final : private ListenerDelegate, private ChildDelegate, private AdminSource {
 public:
  Supervisor(struct ev_loop* loop, const Config& config);
  ~Supervisor() override;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  Status Start();
  // Until SIGTERM or SIGINT, and until everything has ended. The exit status.
  int Run();

 private:
  void OnAcceptable(Listener& listener) override;
  void OnChildReady(Child& child) override;
  void OnChildEnded(Child& child) override;
  AdminAnswer Health() override;
  AdminAnswer Metrics() override;

  Status PrepareState();
  Status OpenListeners();
  Status OpenListener(std::unique_ptr<Listener>& listener, const char* key,
                      const ListenAddress& address);
  void AddChildren();
  Child::Spec RedisSpec() const;
  Child::Spec WorkerSpec(std::string role, std::string slot) const;
  void AcceptAgents();
  void AcceptApi();
  void UpdateAccepting();
  bool MayAcceptAgent();
  std::uint64_t HandshakesInFlight() const;
  std::vector<GatewayLoad> Loads() const;
  void OnTick();
  void OnSecond();
  void CheckReady();
  std::string NotReady() const;
  void Stop();
  void ContinueStop();
  std::vector<Child*> children() const;

  struct ev_loop* const loop_;
  const Config& config_;
  const LogWriter log_;
  std::string host_;
  UniqueFd lock_;
  std::unique_ptr<Listener> agents_;
  std::unique_ptr<Listener> api_;
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<Child> redis_;
  std::unique_ptr<Child> control_;
  std::vector<std::unique_ptr<Child>> gateways_;
  std::optional<RedisProbe> probe_;
  const std::uint64_t descriptors_;  // that each process may have
  Placement placement_;
  TokenBucket bucket_;
  std::array<ev_signal, 2> signals_{};
  ev_timer tick_{};
  int ticks_ = 0;
  int stop_ticks_ = 0;
  bool stopping_ = false;
  bool was_ready_ = false;
};

}  // namespace holdfast::backend
