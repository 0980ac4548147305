#include "backend/supervisor/child.h"

#include <array>
#include <csignal>
#include <random>
#include <utility>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/spawn.h"
#include "common/base/bytes.h"

namespace holdfast::backend {
namespace {

// Its sockets are dead weight by then, and control takes it for gone (delivery.md section 6).
constexpr Duration kSilence = std::chrono::seconds(15);

std::string NewNonce() {
  std::random_device random;
  const std::array<std::uint32_t, 1> word{random()};
  return ToHex({reinterpret_cast<const char*>(word.data()), sizeof word});
}

}  // namespace

Child::Child(struct ev_loop* loop, Spec spec, const LogWriter& log, ChildDelegate& delegate)
    : loop_(loop), spec_(std::move(spec)), log_(log), delegate_(delegate), starts_(spec_.starts) {
  ev_timer_init(
      &restart_,
      [](struct ev_loop*, ev_timer* timer, int) { static_cast<Child*>(timer->data)->Start(); }, 0.0,
      0.0);
  restart_.data = this;
  ev_init(&watcher_, [](struct ev_loop* here, ev_child* child, int) {
    ev_child_stop(here, child);
    static_cast<Child*>(child->data)->OnExit(child->rstatus);
  });
  watcher_.data = this;
  ev_init(&orphan_watcher_,
          [](struct ev_loop*, ev_io* io, int) { static_cast<Child*>(io->data)->OnExit(-1); });
  orphan_watcher_.data = this;
}

Child::~Child() {
  ev_timer_stop(loop_, &restart_);
  if (ev_is_active(&orphan_watcher_)) {
    Signal(SIGKILL);
    ev_io_stop(loop_, &orphan_watcher_);
  }
  if (ev_is_active(&watcher_)) {
    ::kill(watcher_.pid, SIGKILL);
    ev_child_stop(loop_, &watcher_);
    ::waitpid(watcher_.pid, nullptr, 0);
  }
}

void Child::Start() {
  const Status started = StartProcess();
  if (started.ok()) return;
  log_.Write(
      LogLine(LogLevel::kError, "child_not_started").Id("slot", spec_.slot).Err(started.error()));
  OnExit(-1);
}

Status Child::StartProcess() {
  instance_ = spec_.host + "." + spec_.slot + "." + NewNonce();
  backoff_.OnStarted(MonotonicNow());
  heard_at_ = MonotonicNow();
  ++starts_;
  sent_sockets_ = 0;
  SpawnOptions options;
  options.program = spec_.program;
  options.argv = spec_.argv(instance_);
  options.output_file = spec_.output_file;
  options.inherited_fds = spec_.inherited_fds;
  options.outlives_us = spec_.outlives_us;
  UniqueFd theirs;
  if (spec_.kind == Kind::kWorker) {
    HF_ASSIGN_OR_RETURN(CountersPage page, CountersPage::Make());
    page_ = std::move(page);
    HF_ASSIGN_OR_RETURN(auto pair, WorkerChannel::MakePair());
    WorkerChannelDelegate& here = *this;
    channel_.emplace(loop_, std::move(pair.first), here);
    theirs = std::move(pair.second);
    options.inherited_fds.insert(options.inherited_fds.begin(), {theirs.get(), page_->fd()});
  }
  HF_ASSIGN_OR_RETURN(const pid_t pid, Spawn(options));
  ev_child_set(&watcher_, pid, 0);
  ev_child_start(loop_, &watcher_);
  log_.Write(LogLine(LogLevel::kInfo, "child_started")
                 .Id("role", spec_.role)
                 .Id("slot", spec_.slot)
                 .Id("instance", instance_)
                 .Num("pid", pid));
  SetState(State::kStarting);
  if (spec_.kind == Kind::kForeign) {
    SetState(State::kReady);
    delegate_.OnChildReady(*this);
  }
  return Ok();
}

Status Child::Adopt(Orphan orphan) {
  HF_ASSIGN_OR_RETURN(CountersPage page, CountersPage::Map(std::move(orphan.counters)));
  page_ = std::move(page);
  instance_ = std::move(orphan.introduction.instance);
  backoff_.OnStarted(MonotonicNow());
  heard_at_ = MonotonicNow();
  ++starts_;
  // What was on its way in the channel before has been read, or the orphan would not have come.
  sent_sockets_ = closed_sockets() + links() + page_->block().Get(Counter::kHandshakes);
  WorkerChannelDelegate& here = *this;
  channel_.emplace(loop_, std::move(orphan.channel), here);
  process_ = std::move(orphan.process);
  ev_io_set(&orphan_watcher_, process_.get(), EV_READ);
  ev_io_start(loop_, &orphan_watcher_);
  log_.Write(LogLine(LogLevel::kInfo, "child_adopted")
                 .Id("role", spec_.role)
                 .Id("slot", spec_.slot)
                 .Id("instance", instance_)
                 .Num("links", static_cast<std::int64_t>(links())));
  SetState(State::kReady);
  delegate_.OnChildReady(*this);
  return Ok();
}

void Child::OnExit(int status) {
  channel_.reset();
  ev_io_stop(loop_, &orphan_watcher_);
  process_.Reset();
  const bool restarts = std::exchange(restarts_, false);
  const bool expected = !wanted_ || restarts;
  last_exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  log_.Write(LogLine(expected ? LogLevel::kInfo : LogLevel::kWarn, "child_ended")
                 .Id("role", spec_.role)
                 .Id("slot", spec_.slot)
                 .Num("exit", last_exit_)
                 .Num("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
  SetState(wanted_ ? State::kWaiting : State::kEnded);
  if (restarts && wanted_) {
    Start();
  } else if (wanted_) {
    const Duration wait = backoff_.OnEnded(MonotonicNow());
    ev_timer_stop(loop_, &restart_);
    ev_timer_set(&restart_, static_cast<double>(wait.count()) / 1000.0, 0.0);
    ev_timer_start(loop_, &restart_);
  }
  delegate_.OnChildEnded(*this);
}

void Child::Drain(std::string_view payload, Duration patience) {
  wanted_ = false;
  ev_timer_stop(loop_, &restart_);
  if (!running()) {
    SetState(State::kEnded);
    return;
  }
  AskToEnd(payload, patience);
}

void Child::Restart() {
  if (!running()) {  // it waits for its back-off: not any longer
    ev_timer_stop(loop_, &restart_);
    return Start();
  }
  restarts_ = true;
  AskToEnd({}, kStopPatience);
}

void Child::AskToEnd(std::string_view payload, Duration patience) {
  SetState(State::kStopping);
  kill_at_ = MonotonicNow() + patience;
  if (spec_.kind == Kind::kForeign) {
    Signal(SIGTERM);
  } else {
    Send(WorkerMessageType::kDrain, payload);
  }
}

void Child::Kill() {
  if (running()) Signal(SIGKILL);
}

void Child::Signal(int number) {
  if (process_.valid()) {
    // Not by <sys/pidfd.h>, which C++ cannot link with before glibc 2.37.
    ::syscall(SYS_pidfd_send_signal, process_.get(), number, nullptr, 0);
  } else {
    ::kill(watcher_.pid, number);
  }
}

void Child::OnSecond() {
  if (!running()) return;
  if (state_ == State::kStopping && MonotonicNow() >= kill_at_) {
    log_.Write(LogLine(LogLevel::kWarn, "child_does_not_end").Id("slot", spec_.slot));
    return Kill();
  }
  if (spec_.kind == Kind::kForeign || MonotonicNow() - heard_at_ < kSilence) return;
  log_.Write(LogLine(LogLevel::kError, "child_silent").Id("slot", spec_.slot));
  heard_at_ = MonotonicNow();
  Kill();
}

bool Child::SendSocket(WorkerMessageType type, std::string_view peer_address, int fd) {
  if (!channel_ || !channel_->Send(type, peer_address, fd).ok()) return false;
  ++sent_sockets_;
  return true;
}

void Child::Send(WorkerMessageType type, std::string_view payload) {
  // A child that does not read is killed for its silence.
  if (channel_) static_cast<void>(channel_->Send(type, payload));
}

std::uint64_t Child::closed_sockets() const {
  std::uint64_t closed = 0;
  for (std::size_t i = 0; i < kCloseReasonSlots; ++i) {
    closed += page_->block().Get(
        static_cast<Counter>(static_cast<std::size_t>(Counter::kClosedBase) + i));
  }
  return closed;
}

std::uint64_t Child::sockets() const {
  const std::uint64_t closed = page_ ? closed_sockets() : 0;
  return sent_sockets_ > closed ? sent_sockets_ - closed : 0;
}

std::string Child::TakeAtHand() {
  if (!page_) return {};
  std::string at_hand = page_->block().AtHand();
  page_->block().ClearAtHand();
  return at_hand;
}

void Child::OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd /*fd*/) {
  heard_at_ = MonotonicNow();
  if (type == WorkerMessageType::kHandshakesDone) return delegate_.OnHandshakesDone(*this, payload);
  if (type == WorkerMessageType::kCopySaid) return delegate_.OnCopySaid(payload);
  if (type != WorkerMessageType::kReady || state_ != State::kStarting) return;
  SetState(State::kReady);
  delegate_.OnChildReady(*this);
}

void Child::OnWorkerChannelEnd() {
  // Its exit status follows by itself. One that was not asked to end, and closed its end, is of no use.
  if (state_ != State::kStopping) Kill();
}

}  // namespace holdfast::backend
