// pty: a terminal on the endpoint, for the one who holds the key that the command names.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/core/limits.h"
#include "agent/core/pty_session.h"
#include "agent/core/worker_messages.h"
#include "agent/verbs/program_plan.h"
#include "agent/verbs/program_run.h"
#include "agent/verbs/pty_recording.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "common/adapters/mbedtls/mbedtls_sealing.h"
#include "common/base/little_endian.h"
#include "common/sign/envelope.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

using PtyClock = std::chrono::steady_clock;
using Over = PtySession::Over;

constexpr std::size_t kMaxTermBytes = 64;
// After SIGHUP, before SIGKILL: a shell writes its history.
constexpr std::chrono::milliseconds kHangUpGrace{2000};
// After the program has ended: for what is still in the terminal.
constexpr std::chrono::milliseconds kDrainGrace{500};
constexpr std::chrono::milliseconds kExitLook{50};  // on a kernel without pidfd
// Before warden would kill this worker: enough to say how it ended.
constexpr Duration kBeforeWall = std::chrono::seconds(5);

TimePoint PtyNow() { return std::chrono::time_point_cast<Duration>(PtyClock::now()); }

Duration Capped(std::uint64_t ms) {
  return Duration(static_cast<std::int64_t>(std::min<std::uint64_t>(ms, INT32_MAX)));
}

std::string PtyComplaint(const pb::PtyArgs& args, const pb::Command& command) {
  if (command.target().agent_ids_size() != 1) return "a terminal has one target";
  if (command.idempotent()) return "a terminal cannot be opened again by itself";
  if (args.operator_key().size() != PublicKey::kSize) return "operator_key has 65 bytes";
  if (args.columns() < 1 || args.columns() > pty::kMaxColumns || args.rows() < 1 ||
      args.rows() > pty::kMaxRows) {
    return "a terminal has 1 to 1000 columns and rows";
  }
  const bool is_term = std::all_of(args.term().begin(), args.term().end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::strchr("+._-", c) != nullptr;
  });
  if (args.term().empty() || args.term().size() > kMaxTermBytes || !is_term) {
    return Shown(args.term()) + ": is no name of a terminal";
  }
  return {};
}

// The program that was asked for, or the account's shell as at a login.
ExecPlan TerminalPlan(const pb::PtyArgs& args, const WorkerLimits& limits) {
  const Account account = OwnAccount();
  const bool has_shell = account.shell.starts_with("/") && access(account.shell.c_str(), X_OK) == 0;
  const std::string shell = has_shell ? account.shell : "/bin/sh";
  const bool has_home = access(account.directory.c_str(), X_OK) == 0;
  pb::ExecArgs as_exec;
  *as_exec.mutable_argv() = args.argv();
  if (args.argv().empty()) as_exec.add_argv(shell);
  as_exec.set_cwd(has_home ? account.directory : "/");
  as_exec.add_env("TERM=" + args.term());
  as_exec.add_env("SHELL=" + shell);
  if (!account.name.empty()) {
    as_exec.add_env("USER=" + account.name);
    as_exec.add_env("LOGNAME=" + account.name);
  }
  ExecPlan plan = PlanOf(as_exec, limits);
  if (args.argv().empty()) plan.argv[0] = "-" + shell.substr(shell.rfind('/') + 1);
  return plan;
}

struct Terminal {
  UniqueFd ours;
  UniqueFd theirs;
};

bool SetSize(int terminal, pty::Size size) {
  const winsize window = {
      .ws_row = size.rows, .ws_col = size.columns, .ws_xpixel = 0, .ws_ypixel = 0};
  return ioctl(terminal, TIOCSWINSZ, &window) == 0;
}

// 0 or an errno.
int OpenTerminal(pty::Size size, Terminal& terminal) {
  terminal.ours.reset(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  int unlocked = 0;
  unsigned number = 0;
  if (!terminal.ours.valid() || ioctl(terminal.ours.get(), TIOCSPTLCK, &unlocked) != 0 ||
      ioctl(terminal.ours.get(), TIOCGPTN, &number) != 0) {
    return errno;
  }
  // By the descriptor: /dev/pts may be another mount than ours.
  terminal.theirs.reset(ioctl(terminal.ours.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.theirs.valid()) {  // a kernel before 4.13
    const std::string path = "/dev/pts/" + std::to_string(number);
    terminal.theirs.reset(open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  if (!terminal.theirs.valid()) return errno;
  return SetSize(terminal.ours.get(), size) ? 0 : errno;
}

// Moves bytes between the session, the terminal, the recording and warden, until it is over.
class PtyPump {
 public:
  enum class End : std::uint8_t { kExited, kOver, kOutputLimit, kRecording };

  PtyPump(PtySession& session, int terminal, ChildProcess& child, PtyRecording& recording,
          VerbRun& run)
      : session_(session),
        terminal_(terminal),
        child_(child),
        recording_(recording),
        run_(run),
        buffer_(std::make_unique<char[]>(pty::kMaxOutputBytes)) {}

  End Run() {
    for (;;) {
      if (!Say()) return End::kOutputLimit;
      if (error_ != 0) return End::kRecording;
      if (session_.over()) return End::kOver;
      if (!drain_until_ && child_.HasExited()) drain_until_ = PtyClock::now() + kDrainGrace;
      if (drain_until_ && (is_closed_ || PtyClock::now() >= *drain_until_)) return End::kExited;
      Wait();
      session_.OnTick(PtyNow());
    }
  }
  // What is sealed and recorded; false at the limit of the output.
  bool Say() {
    if (error_ == 0) error_ = recording_.Append(session_.TakeCast());
    while (const auto frame = session_.NextFrame()) {
      if (!run_.out.Output(*frame)) return false;
    }
    return true;
  }
  int error() const { return error_; }

 private:
  // Once the program has ended, what it said last is not kept back.
  bool ReadsTerminal() const {
    return !is_closed_ && (drain_until_.has_value() || session_.wants_terminal());
  }

  void Wait() {
    std::array<pollfd, 3> fds = {};
    const bool reads_input = !input_ended_ && session_.wants_input();
    fds[0] = {.fd = reads_input ? run_.input_fd : -1, .events = POLLIN, .revents = 0};
    short wanted = ReadsTerminal() ? POLLIN : 0;
    if (!session_.keys().empty()) wanted = static_cast<short>(wanted | POLLOUT);
    fds[1] = {.fd = wanted != 0 && !is_closed_ ? terminal_ : -1, .events = wanted, .revents = 0};
    fds[2] = {.fd = drain_until_ ? -1 : child_.exit_fd(), .events = POLLIN, .revents = 0};
    auto left = std::chrono::ceil<std::chrono::milliseconds>(session_.NextDeadline() - PtyNow());
    if (drain_until_) {
      left = std::min(
          left, std::chrono::ceil<std::chrono::milliseconds>(*drain_until_ - PtyClock::now()));
    }
    if (child_.exit_fd() < 0) left = std::min(left, kExitLook);
    const auto timeout = std::clamp<std::int64_t>(left.count(), 0, INT32_MAX);
    if (poll(fds.data(), fds.size(), static_cast<int>(timeout)) <= 0) return;
    if (fds[0].revents != 0) ReadInput();
    TakeInput();
    if ((fds[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && ReadsTerminal()) ReadTerminal();
    if (!session_.keys().empty() && !is_closed_) WriteKeys();
    Resize();
  }

  void ReadInput() {
    std::array<char, kMaxInputFrameBytes> bytes;  // NOLINT(*-member-init): read into
    const ssize_t got = read(run_.input_fd, bytes.data(), bytes.size());
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) input_ended_ = true;
    if (got > 0) input_.append(bytes.data(), static_cast<std::size_t>(got));
  }

  // Whole frames, as warden wrote them; what waits stays, at most two reads.
  void TakeInput() {
    constexpr std::size_t kLength = 4;
    while (session_.wants_input() && input_.size() >= kLength) {
      const std::string_view input = input_;
      const auto size = static_cast<std::size_t>(LittleEndian(input.substr(0, kLength)));
      if (size + kLength > kMaxInputFrameBytes || size + kLength < kInputFrameHeaderBytes) {
        input_ended_ = true;  // warden writes no such thing
        return;
      }
      if (input_.size() < kLength + size) return;
      const std::string_view frame = input.substr(0, kLength + size);
      session_.OnInput(LittleEndian(frame.substr(kLength, kInputFrameHeaderBytes - kLength)),
                       frame.substr(kInputFrameHeaderBytes), PtyNow());
      input_.erase(0, kLength + size);
    }
  }

  // As much as is there, so that a screen is one record and not a hundred.
  void ReadTerminal() {
    std::size_t have = 0;
    while (have < pty::kMaxOutputBytes) {
      const ssize_t got = read(terminal_, buffer_.get() + have, pty::kMaxOutputBytes - have);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) {  // EIO: nobody has it open any more
        is_closed_ = true;
        break;
      }
      have += static_cast<std::size_t>(got);
    }
    if (have > 0) session_.OnTerminal({buffer_.get(), have}, Microseconds());
  }

  void WriteKeys() {
    const ssize_t wrote = write(terminal_, session_.keys().data(), session_.keys().size());
    if (wrote > 0) session_.OnKeysWritten(static_cast<std::size_t>(wrote));
  }

  void Resize() {
    const auto size = session_.NextSize();
    if (!size) return;
    if (SetSize(terminal_, *size)) session_.OnSize(*size, Microseconds());
  }

  std::uint64_t Microseconds() const {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(PtyClock::now() - began_).count());
  }

  PtySession& session_;
  const int terminal_;
  ChildProcess& child_;
  PtyRecording& recording_;
  VerbRun& run_;
  const std::unique_ptr<char[]> buffer_;
  const PtyClock::time_point began_ = PtyClock::now();
  std::string input_;
  bool input_ended_ = false;
  bool is_closed_ = false;
  int error_ = 0;
  std::optional<PtyClock::time_point> drain_until_;
};

std::string Milliseconds(Duration duration) { return std::to_string(duration.count()) + " ms"; }

pb::Result ResultOfOver(Over over, const PtySession::Options& options) {
  switch (over) {
    case Over::kHungUp: return DoneWith("hung up by the operator");
    case Over::kIdle:
      return Failed(pb::COMMAND_FAILURE_IDLE_LIMIT,
                    "no key was pressed for " + Milliseconds(options.idle));
    case Over::kGone:
      return Failed(
          pb::COMMAND_FAILURE_OPERATOR_GONE,
          "nothing was heard of the operator's tool for " + Milliseconds(options.silence));
    case Over::kWall:
      return Failed(pb::COMMAND_FAILURE_WALL_LIMIT, "open for " + Milliseconds(options.wall));
    case Over::kForged:
      return Failed(
          pb::COMMAND_FAILURE_FORGED_INPUT,
          "input came that the operator's tool did not seal: something on the way made it");
    case Over::kCastFull: break;
  }
  pb::Result full =
      Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT,
             "more than " + std::to_string(options.max_cast_bytes) + " bytes of recording");
  full.set_truncated(true);
  return full;
}

pb::Result ResultOfExit(const ChildEnd& end, std::string_view program, const WorkerLimits& limits) {
  if (end.signal == 0) {
    // A shell's status is that of the last thing typed into it: no failure of the terminal.
    pb::Result result = Done();
    result.set_exit_code(end.exit_status);
    return result;
  }
  return SignalFailure(end, program, limits);
}

// Closing the terminal is what sends SIGHUP to all that it runs (tty_ioctl(4)).
ChildEnd HangUp(Terminal& terminal, ChildProcess& child, bool at_once) {
  terminal.ours.reset();
  const auto until = PtyClock::now() + kHangUpGrace;
  while (!at_once && !child.HasExited() && PtyClock::now() < until) {
    pollfd exit = {.fd = child.exit_fd(), .events = POLLIN, .revents = 0};
    (void)poll(&exit, 1, static_cast<int>(kExitLook.count()));
  }
  child.EndGroup();
  return child.Reap();
}

std::string ProgramOfPtyComplaint(const pb::PtyArgs& args) {
  if (args.argv().empty()) return {};
  pb::ExecArgs as_exec;
  *as_exec.mutable_argv() = args.argv();
  return ProgramComplaint(as_exec);
}

PtySession::Options SessionOptions(const pb::PtyArgs& args, const WorkerLimits& limits) {
  PtySession::Options options;
  options.idle = args.idle_ms() == 0 ? kDefaultPtyIdle : Capped(args.idle_ms());
  const Duration wall = Capped(limits.wall_ms);
  options.wall = wall - std::min(kBeforeWall, wall / 10);
  options.max_cast_bytes = limits.out_bytes;
  return options;
}

// A terminal that is open, with its program, until it is over.
pb::Result RunOpen(Terminal& terminal, ChildProcess& child, PtySession& session,
                   const PtySession::Options& options, PtyRecording& recording, VerbRun& run) {
  PtyPump pump(session, terminal.ours.get(), child, recording, run);
  const PtyPump::End ended = pump.Run();
  const bool at_once = ended != PtyPump::End::kOver || session.over() == Over::kForged;
  const ChildEnd end = HangUp(terminal, child, at_once);
  session.Close();
  const bool is_said = pump.Say();
  const int error = pump.error() != 0 ? pump.error() : recording.Close();
  if (error != 0) return FailedErrno(error, recording.path());
  if (!is_said || ended == PtyPump::End::kOutputLimit) {
    pb::Result full =
        Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT,
               "ended after " + std::to_string(run.out.written_bytes()) + " bytes of output");
    full.set_truncated(true);
    return full;  // the operator has less than the recording
  }
  pb::Result result =
      session.over()
          ? ResultOfOver(*session.over(), options)
          : ResultOfExit(
                end,
                Shown(run.command.pty().argv_size() > 0 ? run.command.pty().argv(0) : "the shell"),
                run.limits);
  result.mutable_recording()->set_sha256(session.cast_sha256().str());
  result.mutable_recording()->set_size(session.cast_bytes());
  return result;
}

}  // namespace

pb::Result RunPty(const pb::PtyArgs& args, VerbRun& run) {
  std::string complaint = PtyComplaint(args, run.command);
  if (complaint.empty()) complaint = ProgramOfPtyComplaint(args);
  if (!complaint.empty()) return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, complaint);
  const auto crypto = NewMbedtlsCrypto();
  const auto sealing = NewMbedtlsSealing();
  pty::SessionNames names;
  names.command = sign::EnvelopeDigest(*crypto, sign::kCommandType, run.signed_bytes);
  names.agent = AgentId::From(run.command.target().agent_ids(0)).value_or(AgentId());
  names.operator_key = *PublicKey::From(args.operator_key());
  const auto key = sealing->NewKey();
  if (!key.ok()) return Failed(pb::COMMAND_FAILURE_IO, key.error().message);
  names.agent_key = key.value()->public_key();
  const auto secret = key.value()->Agree(names.operator_key);
  if (!secret.ok()) return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, secret.error().message);

  const pty::Size size{static_cast<std::uint16_t>(args.columns()),
                       static_cast<std::uint16_t>(args.rows())};
  Terminal terminal;
  if (const int error = OpenTerminal(size, terminal); error != 0) {
    return Failed(pb::COMMAND_FAILURE_UNSUPPORTED, "no terminal: " + ErrnoText(error));
  }
  PtyRecording recording;
  if (const int error = recording.Open(run.state_dir, names.command); error != 0) {
    return FailedErrno(error, recording.path());
  }
  ChildProcess child;
  const ExecPlan plan = TerminalPlan(args, run.limits);
  if (const StartResult start = child.StartOn(terminal.theirs.get(), plan);
      start.failed_at != StartStep::kStarted) {
    (void)unlink(recording.path().c_str());  // nothing was recorded
    return StartFailure(start, plan);
  }
  run.footprint.set_processes_started(run.footprint.processes_started() + 1);
  terminal.theirs.reset();  // else it would never be closed
  run.warden->SessionKey(names.agent_key.view());
  const PtySession::Options options = SessionOptions(args, run.limits);
  const PtySession::Start start{size, args.term(), "holdfast pty " + names.command.hex(),
                                static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(
                                    std::chrono::system_clock::now()))};
  PtySession session(*crypto, *sealing, pty::DeriveSessionKeys(*crypto, secret.value(), names),
                     options, start, PtyNow());
  return RunOpen(terminal, child, session, options, recording, run);
}

}  // namespace holdfast::agent
