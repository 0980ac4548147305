// EchoSupervisor: accepts, and passes each socket to the worker with the fewest, as holdfastd does.
//
// The same listener, placement core, channel and counters page. Of admission only a bound on handshakes;
// no restarts: a worker that ends, ends the whole.
//
// Threading: loop thread only.
// Errors:    Start(): kExists: the port is taken; kInternal: a process could not be made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ev.h>

#include "backend/adapters/linux/counters_page.h"
#include "backend/adapters/linux/listener.h"
#include "backend/adapters/linux/worker_channel.h"
#include "backend/core/placement.h"

namespace holdfast::bench {

class EchoSupervisor final : private backend::ListenerDelegate {
 public:
  struct Options {
    backend::ListenAddress listen;
    std::uint32_t workers = 1;
    std::vector<std::string> worker_argv;  // run through /proc/self/exe
  };
  EchoSupervisor(struct ev_loop* loop, Options options);
  ~EchoSupervisor() override;
  EchoSupervisor(const EchoSupervisor&) = delete;
  EchoSupervisor& operator=(const EchoSupervisor&) = delete;
  Status Start();

 private:
  class Worker;

  void OnAcceptable(backend::Listener& listener) override;
  void OnWorkerReady();
  std::vector<backend::GatewayLoad> Loads() const;
  void Pause();

  struct ev_loop* const loop_;
  const Options options_;
  backend::Placement placement_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<backend::Listener> listener_;
  ev_timer pause_{};
};

}  // namespace holdfast::bench
