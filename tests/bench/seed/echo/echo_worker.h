// EchoWorker: the gateway's transport with the seed's protocol in place of ours.
//
// A child of EchoSupervisor, on the very adapters that a gateway runs on: the channel that brings its
// sockets, the counters page, LwsServer with the gateway's own options but path, subprotocol and text.
// What it costs is what the transport costs.
//
//   OnOpened, OnMessage --> [which c wait for an answer] --> NextMessage, one a text message
//
// Limits:    kMaxUnanswered requests of one link that does not read; at it the link is closed.
// Ownership: keeps memory for a link only while answers wait for it.
// Threading: loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/adapters/linux/worker_process.h"
#include "backend/adapters/lws/lws_server.h"

namespace holdfast::bench {

class EchoWorker final : private backend::WorkerProcessDelegate,
                         private backend::LwsServerDelegate {
 public:
  explicit EchoWorker(struct ev_loop* loop) : loop_(loop) {}
  ~EchoWorker() override;
  EchoWorker(const EchoWorker&) = delete;
  EchoWorker& operator=(const EchoWorker&) = delete;
  Status Start();

 private:
  // What one link waits for. `next` of `requests` are answered.
  struct Unanswered {
    std::vector<std::uint32_t> requests;
    std::size_t next = 0;
  };

  void OnWorkerMessage(backend::WorkerMessageType type, std::string_view payload,
                       backend::UniqueFd fd) override;
  void OnTurnStart() override;
  void OnTurnEnd() override {}
  void OnSecond() override {}
  void OnOpened(backend::LwsLink& link) override;
  void OnMessage(backend::LwsLink& link, std::string_view message) override;
  void OnClosed(backend::LwsLink* link, backend::ServerClose why) override;
  std::optional<std::string> NextMessage(backend::LwsLink& link) override;

  void Ask(backend::LwsLink& link, std::uint32_t c);
  void Forget(backend::LwsLink& link);

  struct ev_loop* const loop_;
  std::unique_ptr<backend::WorkerProcess> worker_;
  std::unique_ptr<backend::LwsServer> server_;
  std::vector<std::unique_ptr<Unanswered>> spare_;
  std::uint64_t unix_seconds_ = 0;
};

}  // namespace holdfast::bench
