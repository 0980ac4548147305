// Child: one place for a process of the backend, and whoever fills it now.
//
// Starts it, or adopts one that a supervisor before us has started; hears that it is ready and alive, starts it again
// when it ends, kills it when it falls silent. Every start is a new instance with a new name.
//
//   kWaiting (back-off) -> kStarting -> kReady -> kWaiting ...     Drain(): -> kStopping -> kEnded
//                                                                  Restart(): -> kStopping -> kStarting
//
// Limits:    RestartBackoff between starts; silent for kSilence: killed; not gone in time after Drain() or
//            Restart(): killed.
// Ownership: owns the process, its channel and counters.
// Threading: loop thread only (the default loop: libev watches children there).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ev.h>

#include "backend/adapters/linux/adoption_socket.h"
#include "backend/adapters/linux/counters_page.h"
#include "backend/adapters/linux/log_writer.h"
#include "backend/adapters/linux/worker_channel.h"
#include "backend/core/placement.h"
#include "common/base/time.h"

namespace holdfast::backend {

class Child;

class ChildDelegate {
 public:
  virtual ~ChildDelegate() = default;
  virtual void OnChildReady(Child& child) = 0;
  virtual void OnChildEnded(Child& child) = 0;
  // WorkerMessageType::kHandshakesDone.
  virtual void OnHandshakesDone(Child& child, std::string_view addresses) = 0;
  // WorkerMessageType::kCopySaid.
  virtual void OnCopySaid(std::string_view payload) = 0;
};

class Child final : private WorkerChannelDelegate {
 public:
  // From being asked to end to being killed.
  static constexpr Duration kStopPatience = std::chrono::seconds(10);
  enum class State : std::uint8_t { kWaiting, kStarting, kReady, kStopping, kEnded };
  enum class Kind : std::uint8_t { kWorker, kForeign };  // kForeign: no channel; ready when started

  struct Spec {
    Kind kind = Kind::kWorker;
    std::string role;  // "gateway", "control", "redis": for people
    std::string slot;  // "g0"
    std::string program;
    // The command line of an instance of this name, from argv[0] on.
    std::function<std::vector<std::string>(const std::string& instance)> argv;
    std::string output_file;   // empty: our stderr
    std::string host;          // first part of the instance's name
    bool outlives_us = false;  // and is adopted by the next supervisor
    // kForeign: become 3, 4, ...; kWorker: kConfigFd and kRedisLoginFd.
    std::vector<int> inherited_fds;
    std::uint64_t starts = 0;  // of those who filled this slot before
  };
  Child(struct ev_loop* loop, Spec spec, const LogWriter& log, ChildDelegate& delegate);
  ~Child() override;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void Start();
  // In place of Start(): whoever fills this place already is ready.
  Status Adopt(Orphan orphan);
  // Asks it to end, and not to be started again. `payload` as with WorkerMessageType::kDrain.
  void Drain(std::string_view payload = {}, Duration patience = kStopPatience);
  // Asks it to end, and starts it again at once.
  void Restart();
  void Kill();  // now
  void OnSecond();
  // False if it could not be handed over.
  bool SendSocket(WorkerMessageType type, std::string_view peer_address, int fd);
  void Send(WorkerMessageType type, std::string_view payload);

  const Spec& spec() const { return spec_; }
  State state() const { return state_; }
  bool ready() const { return state_ == State::kReady; }
  bool ended() const { return state_ == State::kEnded; }
  bool adopted() const { return process_.valid(); }  // the running one
  const std::string& instance() const { return instance_; }
  std::uint64_t starts() const { return starts_; }
  int last_exit() const { return last_exit_; }  // status of the one that ended last; -1: a signal
  // Of the running one; of the last one while none runs; null before the first.
  const CounterBlock* counters() const { return page_ ? &page_->block() : nullptr; }
  // Once it has ended: what it died over (CounterBlock::AtHand()), told once. Empty: nothing, or not known.
  std::string TakeAtHand();
  std::uint64_t links() const { return page_ ? page_->block().Get(Counter::kLinks) : 0; }
  // Sockets given to the running instance and not yet closed by it.
  std::uint64_t sockets() const;

 private:
  void OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) override;
  void OnWorkerChannelEnd() override;
  Status StartProcess();
  void AskToEnd(std::string_view payload, Duration patience);
  void OnExit(int status);
  bool running() const { return ev_is_active(&watcher_) || ev_is_active(&orphan_watcher_); }
  void Signal(int number);
  std::uint64_t closed_sockets() const;
  void SetState(State state) { state_ = state; }

  struct ev_loop* const loop_;
  const Spec spec_;
  const LogWriter& log_;
  ChildDelegate& delegate_;
  State state_ = State::kWaiting;
  std::string instance_;
  std::optional<WorkerChannel> channel_;
  std::optional<CountersPage> page_;
  RestartBackoff backoff_;
  ev_child watcher_{};
  UniqueFd process_;  // a pidfd of one that is not our child; how it ends we are not told
  ev_io orphan_watcher_{};
  ev_timer restart_{};
  TimePoint heard_at_{};
  TimePoint kill_at_{};  // kStopping
  std::uint64_t starts_;
  int last_exit_ = 0;
  std::uint64_t sent_sockets_ = 0;
  bool wanted_ = true;     // start again when it ends
  bool restarts_ = false;  // and at once, because we asked it to end
};

}  // namespace holdfast::backend
