// holdfast pty: a terminal on an endpoint.
//
// Bytes for the terminal are passed on as they are: that is what a terminal is for, and no filter could tell a program's
// sequences from an attacker's. All that this program says itself is escaped.
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "backend/cli/duration_text.h"
#include "backend/cli/escape_keys.h"
#include "backend/cli/host_names.h"
#include "backend/cli/job.h"
#include "backend/cli/pty_recording.h"
#include "backend/cli/raw_terminal.h"
#include "backend/cli/terminal_modes.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/pty_client.h"
#include "common/adapters/openssl/openssl_sealing.h"
#include "common/base/bytes.h"
#include "common/base/untrusted.h"
#include "common/sign/chain.h"

namespace holdfast::cli {
namespace {

namespace api = ::holdfast::api::v1;
namespace pb = ::holdfast::command::v1;
using sdk::Verb;

constexpr std::size_t kKeysAtOnce = 1024;
constexpr std::size_t kMaxShownTerm = 64;
// From ~. or a signal to the agent's word that it is over.
constexpr Duration kHangUpPatience = std::chrono::seconds(4);
constexpr Duration kSayWaitingAfter = std::chrono::seconds(1);
// A backend that is away: the endpoint ends the terminal after a minute of silence.
constexpr Duration kLostPatience = std::chrono::seconds(75);
constexpr char kNoTerminal[] = "holdfast pty needs a terminal; without one: holdfast exec";

// Between the connection, the sealed session and this terminal.
class LiveTerminal final : public sdk::FollowSink, public sdk::FollowSide {
 public:
  LiveTerminal(const Call& call, sdk::Client& client, sdk::PtyClient& session, const Job& job)
      : call_(call), client_(client), session_(session), job_(job), began_(sdk::MonotonicNow()) {}
  ~LiveTerminal() override {
    GiveBack();
    client_.Unwatch(call_.interrupt_fd);
    static_cast<void>(client_.WatchCancel().ok());
  }

  // From here on Ctrl-C is a key like any other, once the terminal is open; until then it ends the wait.
  Status Begin(std::unique_ptr<CastFile> recording) {
    recording_ = std::move(recording);
    client_.Unwatch(call_.interrupt_fd);
    return client_.Watch(call_.interrupt_fd, OnSignal, this);
  }

  // --- what comes
  void OnState(const api::Delivery& delivery) override { state_ = delivery.state(); }
  Status OnOutput(const AgentId& /*agent*/, std::string_view bytes) override {
    HF_TRY(session_.OnOutput(bytes, sdk::MonotonicNow()));
    HF_TRY(recording_->Append(session_.TakeCast()));
    if (session_.is_open() && terminal_ == nullptr) HF_TRY(Take());
    while (const auto event = session_.NextEvent()) {
      if (event->is_notice) {
        Say(ForTerminal(Untrusted(event->data)));
      } else {
        modes_.OnOutput(event->data);
        HF_TRY(Show(event->data));
      }
    }
    ResumeKeys();
    return Ok();
  }
  Status OnRestart(const AgentId& /*agent*/) override {
    return Error{Code::kCorrupt, "a terminal cannot begin again"};
  }
  Status OnEnd(const sdk::TargetEnd& end) override {
    end_ = end;
    return Ok();
  }

  // --- what goes
  void OnConnected() override {
    if (std::exchange(is_lost_, false)) Say("connected again");
    session_.OnConnected();
  }
  void OnLost(const Error& why) override {
    if (std::exchange(is_lost_, true)) return;
    if (client_stopped_) return;
    Say("the backend is out of reach (" + why.message + "); trying again. ~. gives up");
  }
  std::optional<api::ClientMessage> NextRequest(TimePoint now) override {
    session_.OnTick(now);
    SayWaiting(now);
    if (give_up_at_ && now >= *give_up_at_) Stop();
    auto input = session_.NextInput(now);
    if (!input) return std::nullopt;
    api::ClientMessage message;
    *message.mutable_pty_input() = *std::move(input);
    return message;
  }
  TimePoint NextDeadline() const override {
    TimePoint soonest = session_.NextDeadline();
    if (give_up_at_) soonest = std::min(soonest, *give_up_at_);
    if (!said_waiting_) soonest = std::min(soonest, began_ + kSayWaitingAfter);
    return soonest;
  }

  // The terminal is this process's user's again.
  void GiveBack() {
    if (terminal_ == nullptr) return;
    client_.Unwatch(STDIN_FILENO);
    client_.Unwatch(terminal_->resize_fd());
    static_cast<void>(Show(modes_.Undo()).ok());
    terminal_.reset();
  }
  bool was_open() const { return was_open_; }
  const std::optional<sdk::TargetEnd>& end() const { return end_; }
  CastFile& recording() { return *recording_; }

 private:
  Status Take() {
    auto raw = RawTerminal::Open();
    if (!raw.ok()) return raw.error();
    terminal_ = std::move(raw).value();
    was_open_ = true;
    said_waiting_ = true;
    call_.console.Progress("");
    HF_TRY(client_.Watch(STDIN_FILENO, OnKeys, this));
    HF_TRY(client_.Watch(terminal_->resize_fd(), OnResize, this));
    SendSize();
    return Ok();
  }

  void SendSize() {
    const pty::Size size = TerminalSize();
    if (size == size_) return;
    size_ = size;
    session_.Resize(size);
  }

  static void OnSignal(void* self) {
    auto& live = *static_cast<LiveTerminal*>(self);
    live.client_.PauseWatch(live.call_.interrupt_fd, true);
    live.HangUp();
  }
  static void OnResize(void* self) {
    auto& live = *static_cast<LiveTerminal*>(self);
    live.terminal_->TakeResize();
    live.SendSize();
  }
  static void OnKeys(void* self) { static_cast<LiveTerminal*>(self)->ReadKeys(); }

  void ReadKeys() {
    std::array<char, kKeysAtOnce> keys;  // NOLINT(*-member-init): read into
    const auto got = ::read(STDIN_FILENO, keys.data(), keys.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {  // the window is closed
      client_.PauseWatch(STDIN_FILENO, true);
      return HangUp();
    }
    const auto typed = escapes_.Push({keys.data(), static_cast<std::size_t>(got)});
    if (!typed.keys.empty()) session_.Type(typed.keys);
    if (typed.wants_help) {
      Say("~. ends this terminal   ~~ types one ~   ~? says this; at the beginning of a line");
    }
    if (typed.ends) return is_lost_ || give_up_at_ ? Stop() : HangUp();
    if (!session_.wants_keys()) {
      client_.PauseWatch(STDIN_FILENO, true);
      is_paused_ = true;
    }
  }
  void ResumeKeys() {
    if (!is_paused_ || !session_.wants_keys()) return;
    is_paused_ = false;
    client_.PauseWatch(STDIN_FILENO, false);
  }

  // The agent is told, and its word is waited for; not for ever.
  void HangUp() {
    if (!was_open_ || is_lost_) return Stop();
    if (give_up_at_) return;
    session_.HangUp();
    give_up_at_ = sdk::MonotonicNow() + kHangUpPatience;
  }
  void Stop() {
    client_stopped_ = true;
    client_.Cancel();
  }

  void SayWaiting(TimePoint now) {
    if (said_waiting_ || now - began_ < kSayWaitingAfter) return;
    said_waiting_ = true;
    const bool is_there = state_ == api::DELIVERY_STATE_RECEIVED;
    call_.console.Progress("waiting for " + job_.hosts.begin()->second +
                           (is_there ? ": as many terminals are open there as it allows" : "") +
                           "  (Ctrl-C ends it)");
  }

  // All of it, however slow the terminal is.
  static Status Show(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto wrote = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EAGAIN) {
        pollfd out = {STDOUT_FILENO, POLLOUT, 0};
        (void)::poll(&out, 1, -1);
        continue;
      }
      if (wrote < 0 && errno != EINTR) return Error{Code::kCancelled, "the terminal is gone"};
      if (wrote > 0) bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return Ok();
  }

  // Its own words stand on a line of their own, also where a line feed alone does not begin one.
  void Say(const std::string& line) {
    if (terminal_ == nullptr) {
      call_.console.Say(line);
    } else {
      static_cast<void>(Show("\r\n[holdfast: " + line + "]\r\n").ok());
    }
  }

  const Call& call_;
  sdk::Client& client_;
  sdk::PtyClient& session_;
  const Job& job_;
  const TimePoint began_;
  std::unique_ptr<CastFile> recording_;
  std::unique_ptr<RawTerminal> terminal_;
  TerminalModes modes_;
  EscapeKeys escapes_;
  pty::Size size_ = TerminalSize();
  api::DeliveryState state_ = api::DELIVERY_STATE_UNSPECIFIED;
  std::optional<TimePoint> give_up_at_;
  std::optional<sdk::TargetEnd> end_;
  bool was_open_ = false;
  bool is_lost_ = false;
  bool is_paused_ = false;
  bool client_stopped_ = false;
  bool said_waiting_ = false;
};

std::string TermName() {
  const char* const term = std::getenv("TERM");
  const std::string name = term == nullptr ? "" : term;
  const bool is_name = !name.empty() && name.size() <= kMaxShownTerm &&
                       name.find_first_not_of(
                           "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+._-") ==
                           std::string::npos;
  return is_name ? name : "dumb";
}

// Where the recording is, and whether both ends have the same one.
void SayRecording(const Call& call, LiveTerminal& live, const sdk::PtyClient& session) {
  const std::string path = ForTerminal(Untrusted(live.recording().path()));
  const std::string sha256 = session.cast_sha256().hex();
  std::string line = "recorded in " + path + "\n  sha256 " + sha256;
  const auto& end = live.end();
  const bool holds = end && end->problem.empty() && end->result;
  if (holds && end->result->has_recording()) {
    const auto& theirs = end->result->recording();
    const bool is_same =
        theirs.sha256() == session.cast_sha256().view() && theirs.size() == session.cast_bytes();
    line += is_same ? ", the same as on the endpoint"
                    : "\n  NOT THE SAME as on the endpoint: " + ToHex(theirs.sha256());
  } else {
    line += "\n  the endpoint signed no recording of it";
  }
  call.console.Say(line);
}

int ExitStatusOf(const Call& call, const LiveTerminal& live, const std::string& host) {
  const auto& end = live.end();
  if (!end) return kExitFailed;
  if (!end->problem.empty()) {
    call.console.Say(host + ": NOT TRUSTED: " + ForTerminal(Untrusted(end->problem)));
    return kExitFailed;
  }
  if (end->succeeded()) {
    const std::int32_t status = end->result->exit_code();
    std::string words = ForTerminal(Untrusted(end->message()));
    if (words.empty()) words = "ended with status " + std::to_string(status);
    call.console.Say(host + ": " + words);
    return status == 0 ? kExitOk : kExitFailed;
  }
  std::string line = host + ": " + OutcomeName(end->outcome());
  const std::string failure = FailureName(end->failure());
  if (failure != OutcomeName(end->outcome())) line += " " + failure;
  if (!end->message().empty()) line += ": " + ForTerminal(Untrusted(end->message()));
  call.console.Say(line);
  return end->outcome() == pb::OUTCOME_REFUSED ? kExitRefused : kExitFailed;
}

Result<sdk::Target> OneTarget(const Call& call, sdk::Client& client) {
  HF_ASSIGN_OR_RETURN(const auto terms, sdk::ParseTargets(call.options.target));
  HF_ASSIGN_OR_RETURN(const auto targets, client.ResolveTargets(terms));
  if (targets.size() != 1) {
    return Error{Code::kInvalid, "a terminal has one target; " + call.options.target + " are " +
                                     std::to_string(targets.size())};
  }
  if (!targets.front().online) {
    return Error{Code::kUnavailable, ShownHosts(targets).begin()->second +
                                         " is offline: there is nobody to open a terminal"};
  }
  return targets.front();
}

// What is to be signed, and the secret half of its key.
struct NewTerminal {
  Verb verb;
  std::unique_ptr<sign::AgreementKey> key;
  pty::Size size;
  std::string term;
};

Result<NewTerminal> MakeTerminal(const Call& call, const sign::Sealing& sealing) {
  HF_ASSIGN_OR_RETURN(auto key, sealing.NewKey());
  Verb::PtyArgs args;
  args.operator_key = key->public_key();
  const pty::Size size = TerminalSize();
  args.columns = size.columns;
  args.rows = size.rows;
  args.term = TermName();
  args.argv = call.options.argv;
  args.idle = call.options.idle;
  HF_ASSIGN_OR_RETURN(Verb verb, Verb::Pty(args));
  if (call.options.max_time) {
    verb.command.mutable_limits()->set_wall_ms(
        static_cast<std::uint64_t>(call.options.max_time->count()));
  }
  return NewTerminal{std::move(verb), std::move(key), size, args.term};
}

// Follows it to its end, and says what came of it.
int RunLive(const Call& call, sdk::Client& client, sdk::PtyClient& pty, const Job& job,
            std::unique_ptr<CastFile> recording) {
  const std::string path = recording->path();
  LiveTerminal live(call, client, pty, job);
  Status followed = live.Begin(std::move(recording));
  if (followed.ok()) {
    sdk::Client::FollowOptions options;
    options.side = &live;
    options.patience = kLostPatience;
    auto done = client.Follow(job.digest, {job.targets.front().id}, options, live);
    if (!done.ok()) followed = done.error();
  }
  live.GiveBack();
  call.console.Progress("");
  pty.Close();
  Status kept = live.recording().Append(pty.TakeCast());
  if (kept.ok()) kept = live.recording().Sync();
  if (!kept.ok()) call.console.Say(kept.error().message);
  if (!followed.ok()) {
    if (followed.error().code != Code::kCancelled) call.console.Say(followed.error().message);
    if (followed.error().code == Code::kDenied || followed.error().code == Code::kCorrupt) {
      call.console.Say("what this terminal showed is not to be trusted");
    }
    client.ClearCancel();
    CancelJob(call, job);
  }
  const int status = followed.ok() ? ExitStatusOf(call, live, job.hosts.begin()->second)
                                   : ExitStatusFor(followed.error().code);
  if (live.was_open()) {
    SayRecording(call, live, pty);
  } else {
    ::unlink(path.c_str());
  }
  return status;
}

}  // namespace

int RunPty(const Call& call) {
  if (!call.console.in_is_terminal() || !call.console.out_is_terminal()) {
    call.console.Say(kNoTerminal);
    return kExitUsage;
  }
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  sdk::Client& client = *session.value()->client;
  auto target = OneTarget(call, client);
  if (!target.ok()) return call.console.Fail(target.error());
  const auto sealing = NewOpensslSealing();
  auto made = MakeTerminal(call, *sealing);
  if (!made.ok()) return call.console.Fail(made.error());
  NewTerminal& terminal = made.value();
  Job job;
  job.targets = {target.value()};
  job.hosts = ShownHosts(job.targets);
  job.verb = sign::VerbName(terminal.verb.command);
  job.command = terminal.verb.command;
  auto command = SignFor(call, *session.value(), terminal.verb, job);
  if (!command.ok()) return call.console.Fail(command.error());
  job.digest = command.value().digest;
  job.not_after = command.value().not_after;
  auto recording =
      CastFile::Create(call.options.local_dir + "/" + DirectoryNames(job.targets).begin()->second,
                       "pty-" + job.short_id());
  if (!recording.ok()) return call.console.Fail(recording.error());
  auto submitted = client.Submit(command.value());
  if (!submitted.ok()) {
    ::unlink(recording.value()->path().c_str());
    const int status = call.console.Fail(submitted.error());
    return submitted.error().code == Code::kUnavailable ? status : kExitRefused;
  }
  sdk::PtyClient pty(call.crypto, *sealing, std::move(terminal.key),
                     {job.digest, target.value().id, terminal.size, terminal.term},
                     sdk::MonotonicNow());
  return RunLive(call, client, pty, job, std::move(recording).value());
}

}  // namespace holdfast::cli
