// Supervisor: binds the ports, passes sockets on, keeps the other processes alive, and ends them.
//
//   agents' port --> least loaded gateway      API port --> control      admin port --> us
//   SIGHUP, `holdfastd reload`: settings anew      SIGUSR2, `holdfastd roll`: every process anew
//   `holdfastd scale N`: more or fewer gateways    by itself: links of the fullest move to the emptiest
//   `holdfastd backup`: control copies the ledger, for as long as whoever asked keeps his connection
//   at a start after one that was killed: its gateways, with their links, are adopted
//
// Ordering:  sockets are accepted only while somebody can take them; who comes early waits in the
//            kernel's backlog. The ready file appears when Redis, control and every gateway are ready.
//            The children run on the configuration that we were started with, whatever its file says by
//            then; what a reload changed they are told. A roll and a scale are never under way together.
// Limits:    [admission] of the configuration; kAcceptsPerTurn sockets a turn; kMaxWaiting sockets that wait
//            for their address's share.
// Ownership: owns the children and the listeners; keeps no copy of a socket that it passed on.
// Threading: loop thread only.
// Errors:    Start(): names the port, the file or the directory and what to do about it.
// Design:    docs/decisions/0039-rolling-restart.md, 0040-admission-per-address.md,
//            0070-rebalancing.md, 0155-links-outlive-a-supervisor.md
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <ev.h>

#include "backend/adapters/linux/address_set.h"
#include "backend/adapters/linux/adoption_socket.h"
#include "backend/adapters/linux/listener.h"
#include "backend/adapters/linux/log_writer.h"
#include "backend/core/config.h"
#include "backend/core/copy_request.h"
#include "backend/core/death_tally.h"
#include "backend/core/placement.h"
#include "backend/core/rebalance.h"
#include "backend/core/roll.h"
#include "backend/core/scale.h"
#include "backend/core/source_admission.h"
#include "backend/core/ticket_keys.h"
#include "backend/supervisor/admin_server.h"
#include "backend/supervisor/child.h"
#include "backend/supervisor/order_socket.h"
#include "backend/supervisor/proxied_sockets.h"
#include "backend/supervisor/redis_probe.h"

namespace holdfast::backend {

class Supervisor final : private ListenerDelegate,
                         private ChildDelegate,
                         private AdminSource,
                         private OrderDelegate,
                         private AdoptionDelegate,
                         private ProxiedDelegate {
 public:
  Supervisor(struct ev_loop* loop, Config config);
  ~Supervisor() override;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  Status Start();
  // Until SIGTERM or SIGINT, and until everything has ended. The exit status.
  int Run();

 private:
  void OnAcceptable(Listener& listener) override;
  void OnProxied(Listener& listener, Listener::Accepted accepted) override;
  void OnChildReady(Child& child) override;
  void OnChildEnded(Child& child) override;
  void OnHandshakesDone(Child& child, std::string_view addresses) override;
  void OnCopySaid(std::string_view payload) override;
  void OnOrder(std::uint64_t client, std::string_view word) override;
  void OnClientGone(std::uint64_t client) override;
  void OnOrphan(Orphan orphan) override;
  AdminAnswer Health() override;
  AdminAnswer Metrics() override;

  Status PrepareState();
  Status PrepareRedisUsers();
  Status OpenListeners();
  Status OpenListener(std::unique_ptr<Listener>& listener, KeptSockets& kept, const char* key,
                      const ListenAddress& address);
  void WatchSignal(std::size_t at, int signal);
  void OnSignal(int signal);
  void AddChildren();
  std::size_t FileGateways() const;  // as the configuration has it
  std::size_t WantedGateways() const;
  std::unique_ptr<Child> NewGateway(std::size_t number, std::uint64_t starts);
  Child::Spec RedisSpec() const;
  Child::Spec WorkerSpec(std::string role, std::string slot) const;
  void StandDownIfTaken();
  void NoteDeath(Child& child);
  void SendPoison();
  void RenewTicketKeys();

  // supervisor_sockets.cc
  void AcceptAgents();
  bool AcceptAgent();
  void AdmitAgent(Listener::Accepted accepted);
  void GiveToControl(const Listener::Accepted& accepted);
  // True: it is for whom a proxy says, or for nobody.
  bool LeaveToProxy(Listener& listener, Listener::Accepted& accepted);
  bool MayPlace();
  void Place(const Listener::Accepted& accepted, const std::string& source);
  void ServeWaiting();
  void DropLate();
  void AcceptApi();
  void UpdateAccepting();
  std::uint32_t SourceLimit() const;
  std::uint64_t HandshakesInFlight() const;
  std::vector<GatewayLoad> Loads() const;

  // supervisor_orders.cc
  void StartCopy(std::uint64_t client);
  void EndCopy(std::string_view why);
  Status StartRoll();
  void ContinueRoll();
  void TakeRollStep(RollStep step);
  void TakeOver();
  void EndRoll(bool done, std::string text);
  RollView ViewRoll() const;
  bool AllServe() const;
  // What keeps a long order from being taken; empty: nothing.
  std::string Engaged() const;
  // To those who wait for the order that is under way, and to the log.
  void SayStep(std::string_view order, std::string text);
  void EndOrder(std::string_view order, bool done, std::string text);
  Result<std::vector<std::string>> Reload();
  void SendLive(Child& child, bool with_certificate);
  void ApplyLive(const Config& next, std::vector<std::string>& told);
  Result<std::string> ReadCertificate(const Config& config) const;

  // supervisor_adoption.cc
  Child* PlaceOf(const Orphan& orphan);
  void EndAdopting();

  // supervisor_scale.cc
  Status StartScale(std::string_view count);
  void ContinueScale();
  void TakeScaleStep(ScaleStep step);
  ScaleView ViewScale() const;
  void EndScale(bool done, std::string text);
  std::string HowToKeep() const;
  void SetGatewayCount(std::size_t count);
  void AddGateways(std::size_t count);
  void DropGateways(std::size_t count);
  // How long agents get to leave: as many a second as admission takes, so that those who come find room.
  std::chrono::seconds LeaveWindow(std::uint64_t links) const;
  void SendAway(std::unique_ptr<Child> gateway, std::chrono::seconds window);
  std::vector<std::uint64_t> GatewayLinks() const;
  void SpreadLinks();

  void OnTick();
  void OnSecond();
  void CheckReady();
  std::string NotReady() const;
  void Stop();
  void ContinueStop();
  std::vector<Child*> children() const;

  struct ev_loop* const loop_;
  Config config_;
  LogWriter log_;
  std::string host_;
  UniqueFd lock_;
  UniqueFd config_text_;    // for the children
  RedisUsers redis_users_;  // until the end: a Redis that is started again has the same
  UniqueFd redis_acl_;      // for the embedded one
  UniqueFd gateway_login_, control_login_;
  std::string certificate_;  // what new connections are served with: to see whether it changed
  bool certificate_changed_ = false;  // since the start
  TicketKeys ticket_keys_;            // TLS sessions outlive a gateway
  std::unique_ptr<Listener> agents_;
  std::unique_ptr<Listener> api_;
  AddressSet proxies_;
  ProxyRefusals proxy_refusals_;
  ProxiedSockets proxied_;
  struct Named {
    Listener::Accepted accepted;
    TimePoint since;
  };
  std::deque<Named>
      named_;  // by a proxy, when nobody could take them; at most for SourceAdmission's patience
  std::unique_ptr<AdminServer> admin_;
  std::unique_ptr<Child> redis_;
  std::unique_ptr<Child> control_;
  std::vector<std::unique_ptr<Child>> gateways_;
  std::vector<std::unique_ptr<Child>> leaving_;  // gateways that take nobody any more
  std::unique_ptr<Child> next_;                  // a gateway that is about to take a place
  std::optional<Roll> roll_;
  std::uint64_t rolled_starts_ = 0;  // of the process that the roll restarts, before it did
  std::optional<Scale> scale_;
  std::optional<std::uint32_t>
      scaled_to_;  // gateways, by the last scale; gateways.count has no say then
  std::vector<std::uint64_t> watchers_;  // clients of orders_ that wait for roll_ or scale_
  CopyRequest copy_;                     // of the ledger, by a client of orders_ that has not gone
  Rebalance rebalance_;
  std::unique_ptr<OrderSocket> orders_;
  std::unique_ptr<AdoptionSocket> adoption_;
  // While gateways of before may come, and none is started. Never set when the last supervisor ended in order.
  std::optional<TimePoint> adopting_until_;
  std::optional<RedisProbe> probe_;
  DeathTally deaths_;
  std::vector<std::string> poison_;  // control has not been told yet
  const std::uint64_t descriptors_;  // that each process may have
  Placement placement_;
  TokenBucket bucket_;
  SourceAdmission sources_;
  std::unordered_map<SourceAdmission::Ticket, Listener::Accepted> waiting_;
  SourceAdmission::Ticket next_ticket_ = 1;
  std::uint64_t refused_sockets_ = 0;
  std::array<ev_signal, 4> signals_{};
  ev_timer tick_{};
  int ticks_ = 0;
  int stop_ticks_ = 0;
  bool stopping_ = false;
  int exit_status_ = 0;
  bool was_ready_ = false;
};

}  // namespace holdfast::backend
