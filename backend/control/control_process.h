// ControlProcess: wires the core to sockets, Redis, the ledger, files and the supervisor.
//
// Decides nothing. One turn of the core per turn of the loop: whatever the loop brought, then one
// commit, then what it made true.
//
// Ownership: owns the adapters; borrows loop, configuration and crypto for its life.
// Threading: loop thread only; the file pool wakes it through an ev_async.
// Errors:    Start(): what could not be opened, by name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <ev.h>

#include "backend/adapters/files/pooled_output_files.h"
#include "backend/adapters/hiredis/redis_streams.h"
#include "backend/adapters/libpq/postgres_store.h"
#include "backend/adapters/linux/log_writer.h"
#include "backend/adapters/linux/worker_process.h"
#include "backend/adapters/lws/lws_server.h"
#include "backend/control/ledger_copy.h"
#include "backend/core/config.h"
#include "backend/core/control_core.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

class ControlProcess final : private WorkerProcessDelegate,
                             private LwsServerDelegate,
                             private StreamTransportDelegate {
 public:
  ControlProcess(struct ev_loop* loop, const Config& config, const WorkerIdentity& identity,
                 const sign::Crypto& crypto);
  ~ControlProcess() override;
  ControlProcess(const ControlProcess&) = delete;
  ControlProcess& operator=(const ControlProcess&) = delete;
  Status Start();
  // After the loop: what the process ends with.
  int exit_status() const { return exit_status_; }

 private:
  struct Connection {
    std::uint64_t id = 0;
    LwsLink* link = nullptr;
    bool closing = false;
  };

  void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) override;
  void OnTurnStart() override;
  void OnTurnEnd() override;
  void OnSecond() override;

  void OnOpened(LwsLink& link) override;
  void OnMessage(LwsLink& link, std::string_view message) override;
  void OnClosed(LwsLink* link, ServerClose why) override;
  std::optional<std::string> NextMessage(LwsLink& link) override;

  void OnEntry(std::string_view id, std::string_view message) override;
  void OnBatchEnd() override;
  void OnLost(const Error& why) override;
  void OnRestored() override;
  void OnDenied(const Error& why) override;

  Status LoadTrust();
  Status OpenFiles();
  Status OpenStore();
  Result<Store*> OpenSqlite();
  Result<Store*> OpenPostgres();
  bool MustEnd();
  Status OpenServer();
  void StartWatchers();
  void OnReload(std::string_view payload);
  void OnFilesDone();
  void SendOutputs();
  void ServeApi();
  void Count();

  struct ev_loop* const loop_;
  const Config& config_;
  const WorkerIdentity& identity_;
  const sign::Crypto& crypto_;
  LogWriter log_;
  Moment now_{};
  bool touched_ = false;  // something came in since the last turn
  bool reading_ = true;
  int exit_status_ = 0;
  sign::TrustedPolicy trust_;
  ApiSettings settings_;
  ev_async files_done_{};
  ev_timer tick_{};
  ev_timer turn_due_{};
  std::unique_ptr<WorkerProcess> worker_;
  // One of the two is the store.
  std::unique_ptr<SqliteLedger> ledger_;
  std::unique_ptr<PostgresRecord> record_;
  std::optional<LedgerCopy> copy_;  // of ledger_
  std::unique_ptr<PooledOutputFiles> files_;
  std::optional<ControlCore> core_;
  std::optional<RedisStreams> streams_;
  std::unique_ptr<LwsServer> server_;
  std::uint64_t next_connection_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
};

}  // namespace holdfast::backend
