#include "agent/verbs/program_run.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>

#include <poll.h>
#include <unistd.h>

#include "agent/verbs/stdio_writer.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = std::size_t{64} * 1024;  // the usual capacity of a pipe
// What the program's own children may still say after it is gone, before they are ended too.
constexpr std::chrono::milliseconds kGrace{500};
constexpr std::chrono::milliseconds kLookInterval{50};  // for the exit, on a kernel without pidfd

enum class RunEnd { kExited, kOutputLimit, kWallLimit };

// Moves what the program writes to the channel until it and its pipes are done, or a limit is.
class Pump {
 public:
  Pump(ChildProcess& child, VerbRun& run)
      : child_(child),
        stdio_(run.out),
        buffer_(std::make_unique<char[]>(kPieceBytes)),
        deadline_(Clock::now() + std::chrono::milliseconds(std::min<std::uint64_t>(
                                     run.limits.wall_ms, std::uint64_t{INT32_MAX}))) {}

  RunEnd Run() {
    while (true) {
      const Clock::time_point now = Clock::now();
      if (now >= deadline_) return RunEnd::kWallLimit;
      if (child_.HasExited() && !grace_until_) grace_until_ = now + kGrace;
      if (grace_until_ && (!AnyOpen() || now >= *grace_until_)) {
        if (!AnyOpen() || group_ended_) return RunEnd::kExited;
        child_.EndGroup();  // what still holds the pipes; then one more grace for what is in them
        group_ended_ = true;
        grace_until_ = now + kGrace;
      }
      Wait(now);
      if (!Drain()) return RunEnd::kOutputLimit;
    }
  }

 private:
  struct Source {
    int fd;
    std::uint32_t number;  // StdioChunk.fd
    bool open = true;
    bool ready = false;
  };

  bool AnyOpen() const { return sources_[0].open || sources_[1].open; }

  void Wait(Clock::time_point now) {
    const bool exited = grace_until_.has_value();
    std::array<pollfd, 3> fds = {};
    for (std::size_t i = 0; i < 2; ++i) {
      fds[i] = {.fd = sources_[i].open ? sources_[i].fd : -1, .events = POLLIN, .revents = 0};
    }
    fds[2] = {.fd = exited ? -1 : child_.exit_fd(), .events = POLLIN, .revents = 0};
    Clock::time_point until = deadline_;
    if (grace_until_) until = std::min(until, *grace_until_);
    if (!exited && child_.exit_fd() < 0) until = std::min(until, now + kLookInterval);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    (void)poll(fds.data(), fds.size(),
               static_cast<int>(std::clamp<std::int64_t>(wait, 0, INT32_MAX)));
    for (std::size_t i = 0; i < 2; ++i) sources_[i].ready = fds[i].revents != 0;
  }

  // One piece of each that has something; false at the output limit.
  bool Drain() {
    for (Source& source : sources_) {
      if (!source.open || !source.ready) continue;
      const ssize_t got = read(source.fd, buffer_.get(), kPieceBytes);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) {
        source.open = false;
        continue;
      }
      if (!stdio_.Send(source.number, {buffer_.get(), static_cast<std::size_t>(got)})) return false;
    }
    return true;
  }

  ChildProcess& child_;
  StdioWriter stdio_;
  std::unique_ptr<char[]> buffer_;
  Clock::time_point deadline_;
  std::array<Source, 2> sources_ = {
      {{.fd = child_.stdout_fd(), .number = 1}, {.fd = child_.stderr_fd(), .number = 2}}};
  std::optional<Clock::time_point> grace_until_;
  bool group_ended_ = false;
};

std::string SignalText(int signal) {
  const char* name = sigabbrev_np(signal);
  return "signal " + std::to_string(signal) +
         (name == nullptr ? "" : " (SIG" + std::string(name) + ")");
}

pb::Result ResultOf(const ChildEnd& end, std::string_view program, const WorkerLimits& limits) {
  const std::string who = Shown(program);
  if (end.signal == 0) {
    if (end.exit_status == 0) return Done();
    pb::Result result = Failed(pb::COMMAND_FAILURE_EXIT_STATUS,
                               who + ": exit status " + std::to_string(end.exit_status));
    result.set_exit_code(end.exit_status);
    return result;
  }
  return SignalFailure(end, who, limits);
}

}  // namespace

pb::Result StartFailure(const StartResult& start, const ExecPlan& plan) {
  switch (start.failed_at) {
    case StartStep::kChdir: return FailedErrno(start.error, plan.cwd);
    case StartStep::kExec:
      return Failed(pb::COMMAND_FAILURE_CANNOT_EXECUTE,
                    Shown(plan.argv[0]) + ": " + ErrnoText(start.error));
    default:
      return Failed(pb::COMMAND_FAILURE_IO,
                    Shown(plan.argv[0]) + ": cannot be started: " + ErrnoText(start.error));
  }
}

pb::Result SignalFailure(const ChildEnd& end, std::string_view program,
                         const WorkerLimits& limits) {
  const std::string who(program);
  const bool cpu = end.signal == SIGXCPU || (end.signal == SIGKILL && end.cpu_ms >= limits.cpu_ms);
  pb::Result result =
      cpu ? Failed(pb::COMMAND_FAILURE_CPU_LIMIT,
                   who + ": more than " + std::to_string(limits.cpu_ms) + " ms of CPU time")
          : Failed(pb::COMMAND_FAILURE_KILLED, who + ": ended by " + SignalText(end.signal));
  result.set_exit_code(128 + end.signal);
  return result;
}

pb::Result RunProgram(const ExecPlan& plan, VerbRun& run) {
  ChildProcess child;
  if (const StartResult start = child.Start(plan); start.failed_at != StartStep::kStarted) {
    return StartFailure(start, plan);
  }
  run.footprint.set_processes_started(run.footprint.processes_started() + 1);
  Pump pump(child, run);
  const RunEnd ended = pump.Run();
  child.EndGroup();  // nothing of a command outlives it
  const ChildEnd end = child.Reap();
  if (ended == RunEnd::kExited) return ResultOf(end, plan.argv[0], run.limits);
  pb::Result result =
      ended == RunEnd::kOutputLimit
          ? Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT, Shown(plan.argv[0]) + ": ended after " +
                                                         std::to_string(run.out.written_bytes()) +
                                                         " bytes of output")
          : Failed(pb::COMMAND_FAILURE_WALL_LIMIT, Shown(plan.argv[0]) + ": ended after " +
                                                       std::to_string(run.limits.wall_ms) + " ms");
  result.set_truncated(true);
  result.set_exit_code(128 + SIGKILL);
  return result;
}

}  // namespace holdfast::agent
