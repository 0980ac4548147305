// GatewayProcess: wires the router to sockets, Redis and the supervisor.
//
// Decides nothing: translates what lws and hiredis say into the router's inputs, and the transport's
// reasons into those of the catalogue.
//
// Threading: loop thread only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backend/adapters/hiredis/redis_streams.h"
#include "backend/adapters/linux/log_writer.h"
#include "backend/adapters/linux/worker_process.h"
#include "backend/adapters/lws/lws_server.h"
#include "backend/core/config.h"
#include "backend/core/gateway_router.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

class GatewayProcess final : private WorkerProcessDelegate,
                             private LwsServerDelegate,
                             private LinkPort,
                             private StreamTransportDelegate {
 public:
  GatewayProcess(struct ev_loop* loop, const Config& config, const WorkerIdentity& identity,
                 const sign::Crypto& crypto);
  Status Start();

 private:
  void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) override;
  void OnTurnStart() override;
  void OnTurnEnd() override;
  void OnSecond() override;
  WithoutSupervisor OnSupervisorGone() override;

  std::optional<std::uint32_t> RefuseUpgrade() override;
  void OnOpened(LwsLink& link) override;
  void OnTlsDone(bool resumed) override;
  void OnMessage(LwsLink& link, std::string_view message) override;
  void OnPong(LwsLink& link) override;
  void OnNotOpened(std::string_view peer_address) override;
  void OnClosed(LwsLink* link, ServerClose why) override;
  std::optional<std::string> NextMessage(LwsLink& link) override;

  void WantWrite(void* transport) override;
  void Ping(void* transport) override;
  void Close(void* transport, std::uint16_t code, std::string_view text) override;
  void SetMaxMessageBytes(void* transport, std::size_t bytes) override;
  void OnHandshakeDone(std::string_view peer_address) override;

  void OnEntry(std::string_view id, std::string_view message) override;
  void OnBatchEnd() override;
  void OnLost(const Error& why) override;
  void OnRestored() override;
  void OnDenied(const Error& why) override;

  void OnAgentSocket(std::string_view peer_address, UniqueFd fd);
  void OnDrain(std::string_view payload);
  void OnShed(std::string_view payload);
  void ReportHandshakes();
  void TellOfRefusal(std::string_view peer_address, link::CloseReason reason);
  void OnReload(std::string_view payload);
  void OnTicketKeys(std::string_view payload);

  struct ev_loop* const loop_;
  const Config& config_;
  const WorkerIdentity& identity_;
  const sign::Crypto& crypto_;
  LogWriter log_;
  std::unique_ptr<WorkerProcess> worker_;
  std::optional<GatewayRouter> router_;
  std::optional<RedisStreams> streams_;
  std::unique_ptr<LwsServer> server_;
  std::int64_t lost_sockets_ = 0;  // since the last second
  std::string done_;               // addresses to be reported, one a line
  std::string not_opened_;         // the address of the socket that OnClosed() tells of next
  int told_refusals_ = 0;          // in the log, within this second
  std::int64_t untold_refusals_ = 0;
};

}  // namespace holdfast::backend
