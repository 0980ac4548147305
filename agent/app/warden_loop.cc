#include "agent/app/warden_loop.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/os_error.h"
#include "agent/adapters/linux/program_pages.h"
#include "agent/app/log.h"

namespace holdfast::agent {
namespace {

using link::CloseReason;

// How long an orderly end may take: the Close frame's way out, and workers to die.
constexpr Duration kShutDownPatience = std::chrono::milliseconds(1500);
// Memory goes back to the system this long after the last command: not between two of a session.
constexpr Duration kTrimAfter = std::chrono::seconds(3);

// Of the link process. It is not a server that would be overrun: two seconds are enough for a machine that
// is short of something, and ten say that the start was a good one.
link::Backoff::Options LinkRestarts() {
  link::Backoff::Options options;
  options.cap = std::chrono::seconds(2);
  options.stable = std::chrono::seconds(10);
  return options;
}

// What no redial will mend.
bool IsFinal(CloseReason reason) {
  switch (reason) {
    case CloseReason::CLOSE_REASON_BAD_IDENTITY:
    case CloseReason::CLOSE_REASON_NOT_ENROLLED:
    case CloseReason::CLOSE_REASON_BAD_TOKEN:
    case CloseReason::CLOSE_REASON_CLONE:
    case CloseReason::CLOSE_REASON_SERVER_UNTRUSTED:
    case CloseReason::CLOSE_REASON_REVOKED:
    case CloseReason::CLOSE_REASON_VERSION: return true;
    default: return false;
  }
}

}  // namespace

WardenLoop::WardenLoop(Warden& warden, LinkChild& link, LinuxWorkers& workers, std::uint32_t seed)
    : warden_(warden), link_(link), workers_(workers), backoff_(LinkRestarts(), seed) {}

Status WardenLoop::Prepare() {
  sigset_t watched;
  ::sigemptyset(&watched);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&watched, number);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  signals_.Reset(::signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_.is_open()) return OsError("signalfd", errno);
  // Orphans of workers come to us, to be ended; nobody may read the key out of our memory.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return Ok();
}

WardenLoop::Outcome WardenLoop::Run(Until until, Duration timeout) {
  HF_CHECK(signals_.is_open());
  const Moment start = ReadClocks();
  start_link_at_ = start.now;
  trim_at_ = start.now + kTrimAfter;  // what the start alone needed
  const TimePoint deadline = start.now + timeout;
  for (;;) {
    const Moment at = ReadClocks();
    if (const auto outcome = Judge(until, deadline, at)) {
      WriteLog();
      ShutDown();
      return *outcome;
    }
    Turn(until == Until::kOpen ? std::optional(deadline) : std::nullopt);
  }
}

std::optional<WardenLoop::Outcome> WardenLoop::Judge(Until until, TimePoint deadline,
                                                     Moment at) const {
  if (is_stopping_) return Outcome::kStopped;
  if (warden_.is_fatal()) return Outcome::kJournalBroken;
  if (warden_.wants_restart()) return Outcome::kRestart;
  if (until == Until::kStopped) return std::nullopt;
  if (warden_.is_open()) return Outcome::kOpen;
  if (warden_.last_close() && IsFinal(warden_.last_close()->reason)) return Outcome::kRefused;
  if (at.now >= deadline) return Outcome::kTimedOut;
  return std::nullopt;
}

// One round: say what there is to say, wait, take what has come.
void WardenLoop::Turn(std::optional<TimePoint> wake) {
  Moment at = ReadClocks();
  StartLinkIfDue(at);
  link_.Pump(warden_, at);
  NoticeLinkLoss(at);
  TrimWhenIdle(at);
  WriteLog();
  Wait(wake);
  at = ReadClocks();
  OnSignals(at);
  if (link_.is_up()) link_.OnReadable(warden_, at);
  NoticeLinkLoss(at);
  ReadWorkers(at);
  workers_.OnTick(at.now);
  if (workers_.NextDeadline()) Reap(at);
  ReportGone(at);
  if (const auto due = warden_.NextDeadline(); due && at.now >= *due) {
    warden_.OnTick(at);
    // Room may have come back: what a worker said before waits in its framer, and nothing else would ask.
    for (std::size_t i = 0; i < workers_.all().size(); ++i) TakeMessages(*workers_.all()[i], at);
  }
}

void WardenLoop::Wait(std::optional<TimePoint> wake) {
  std::vector<pollfd> fds;
  fds.push_back({signals_.get(), POLLIN, 0});
  fds.push_back({clock_.fd(), POLLIN, 0});  // poll() passes over a negative one
  if (link_.is_up()) {
    fds.push_back(
        {link_.fd(), static_cast<short>(link_.has_unsent() ? POLLIN | POLLOUT : POLLIN), 0});
  }
  for (const auto& worker : workers_.all()) {
    if (worker->output.is_open() && warden_.WantsOutput(worker->id)) {
      fds.push_back({worker->output.get(), POLLIN, 0});
    }
  }
  for (const auto& other : {warden_.NextDeadline(), workers_.NextDeadline(), start_link_at_,
                            trim_at_, drop_spare_at_}) {
    if (other && (!wake || *other < *wake)) wake = other;
  }
  int timeout_ms = -1;
  if (wake) {
    const auto left = *wake - ReadClocks().now;
    timeout_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
  }
  // poll() does not count a suspend, and deadlines do: the clock ends it on waking.
  if (::poll(fds.data(), fds.size(), timeout_ms) > 0 && fds[1].revents != 0) clock_.TakeJump();
}

// --- the link process ----------------------------------------------------------------------------

void WardenLoop::StartLinkIfDue(Moment at) {
  if (!start_link_at_ || at.now < *start_link_at_ || link_.is_running()) return;
  start_link_at_.reset();
  if (auto started = link_.Start(); !started.ok()) {
    WriteLogLine(LogLine(LogLevel::kError, "cannot_start_link").Err(started.error()));
    start_link_at_ = at.now + backoff_.OnClosed(at.now, Duration(0));
    return;
  }
  backoff_.OnOpened(at.now);
  link_was_up_ = true;
  warden_.OnLinkStarted();
}

void WardenLoop::NoticeLinkLoss(Moment at) {
  if (!link_was_up_ || link_.is_up()) return;
  link_was_up_ = false;
  link_.Kill();  // if it only broke its framing
  warden_.OnLinkStopped(link_.why());
  start_link_at_ = at.now + backoff_.OnClosed(at.now, Duration(0));
}

// --- signals and workers -------------------------------------------------------------------------

void WardenLoop::OnSignals(Moment at) {
  signalfd_siginfo info{};
  bool has_child = false;
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) is_stopping_ = true;
    if (info.ssi_signo == SIGCHLD) has_child = true;
  }
  if (has_child) Reap(at);
}

void WardenLoop::Reap(Moment at) {
  int status = 0;
  for (;;) {
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid <= 0) break;
    if (pid == link_.pid()) {
      link_.OnEnded(status);
    } else {
      workers_.OnChildEnded(pid, status, at.now);  // or an orphan, which is nobody's news
    }
  }
  workers_.SweepOrphans(link_.pid(), at.now);
}

// Each worker gets one read a round, so that none starves the others.
void WardenLoop::ReadWorkers(Moment at) {
  // By index: a message may make the warden start another worker.
  for (std::size_t i = 0; i < workers_.all().size(); ++i) {
    LinuxWorkers::Worker& worker = *workers_.all()[i];
    TakeMessages(worker, at);
    if (!worker.output.is_open() || !warden_.WantsOutput(worker.id)) continue;
    workers_.OnReadable(worker);
    TakeMessages(worker, at);
  }
}

void WardenLoop::TakeMessages(LinuxWorkers::Worker& worker, Moment at) {
  while (warden_.WantsOutput(worker.id)) {
    auto next = worker.framer.Next();
    if (!next.ok()) {
      worker.output.Reset();
      return warden_.OnWorkerBroken(worker.id, next.error());
    }
    if (!next.value()) return;
    warden_.OnWorkerMessage(worker.id, next.value()->type, next.value()->payload, at);
    link_.Pump(warden_, at);
  }
}

void WardenLoop::ReportGone(Moment at) {
  while (const auto gone = workers_.TakeGone()) {
    warden_.OnWorkerGone(gone->first, gone->second, at);
  }
}

void WardenLoop::TrimWhenIdle(Moment at) {
  if (!warden_.is_idle()) {
    was_busy_ = true;
    trim_at_.reset();
  } else if (was_busy_) {
    was_busy_ = false;
    trim_at_ = at.now + kTrimAfter;
    drop_spare_at_ = trim_at_;
    workers_.PrepareSpare();
  } else if (trim_at_ && at.now >= *trim_at_) {
    trim_at_.reset();
    warden_.Shrink();
    link_.Shrink();
    ::malloc_trim(0);
    LetGoOfProgramPages();
  }
  // Also when a command that has no use for it keeps us busy.
  if (drop_spare_at_ && at.now >= *drop_spare_at_) {
    drop_spare_at_.reset();
    workers_.DropSpare();
  }
}

void WardenLoop::WriteLog() {
  while (const auto line = warden_.NextLog()) WriteLogLine(*line);
}

void WardenLoop::ShutDown() {
  warden_.Stop();
  link_.Pump(warden_, ReadClocks());
  // It says goodbye and ends; unless it does not even read that it should.
  if (link_.has_unsent()) link_.Close();
  for (const auto& worker : workers_.all()) workers_.Kill(worker->id);
  workers_.DropSpare();
  const TimePoint deadline = ReadClocks().now + kShutDownPatience;
  for (;;) {
    const Moment at = ReadClocks();
    Reap(at);
    const bool has_workers = std::any_of(workers_.all().begin(), workers_.all().end(),
                                         [](const auto& worker) { return !worker->is_reaped; });
    if ((!link_.is_running() && !has_workers && !workers_.NextDeadline()) || at.now >= deadline) {
      break;
    }
    pollfd fd{signals_.get(), POLLIN, 0};
    ::poll(&fd, 1, 50);
    OnSignals(at);
  }
  link_.Kill();
  WriteLog();
}

}  // namespace holdfast::agent
