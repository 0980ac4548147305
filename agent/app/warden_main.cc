#include "agent/app/warden_main.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/linux/disk_reserve.h"
#include "agent/adapters/linux/linux_workers.h"
#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/segment_spool.h"
#include "agent/adapters/linux/self_exec.h"
#include "agent/adapters/linux/state_dir.h"
#include "agent/adapters/sqlite/sqlite_journal.h"
#include "agent/app/agent_state.h"
#include "agent/app/cli.h"
#include "agent/app/isolation_state.h"
#include "agent/app/link_child.h"
#include "agent/app/link_fence.h"
#include "agent/app/link_routes.h"
#include "agent/app/log.h"
#include "agent/app/update_state.h"
#include "agent/app/warden_loop.h"
#include "agent/core/limits.h"
#include "agent/core/next_step.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "common/bundle/bundle_text.h"

namespace holdfast::agent {
namespace {

using Outcome = WardenLoop::Outcome;

void SayWhatRootWouldAdd() {
  if (::geteuid() == 0) return;
  WriteLogLine(LogLine(LogLevel::kWarn, "not_root")
                   .Text("cannot", std::string("read other users' files and processes; keep the "
                                               "link process under a user of its own")));
}

void SayWhereJournalIsFrom(const SqliteJournal& journal, bool is_enrolling) {
  switch (journal.origin()) {
    case SqliteJournal::Origin::kFound: return;
    case SqliteJournal::Origin::kMissing:
      if (is_enrolling) return;
      [[fallthrough]];
    case SqliteJournal::Origin::kReplaced:
      WriteLogLine(LogLine(LogLevel::kError, "journal_lost")
                       .Text("why", journal.why_replaced())
                       .Id("incarnation", journal.meta().incarnation.hex()));
  }
}

Identity MakeIdentity(const sign::Crypto& crypto, const AgentState& state) {
  Identity identity;
  identity.id = state.id;
  identity.instance = crypto.RandomBytes<Nonce16>();
  identity.fingerprint = MachineFingerprint(crypto);
  identity.enrol_token = state.bundle.token();
  identity.facts = ReadMachineFacts(HOLDFAST_VERSION);
  return identity;
}

struct Ended {
  Outcome outcome;
  std::optional<HangUp> last_close;
};

// 0 if that cannot be said: the clock and the build then have to do.
WallTime WrittenAt(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || found.st_mtime < 0) return WallTime(0);
  return WallTime(static_cast<std::uint64_t>(found.st_mtime) * 1000);
}

// A disk that is full gives up the reserve, so that the agent can at least say so.
Result<std::unique_ptr<SqliteJournal>> OpenJournal(const sign::Crypto& crypto, const StateDir& dir,
                                                   const AgentState& state, Reserve& reserve) {
  const auto open = [&] {
    return SqliteJournal::Open(crypto, dir.PathOf(kJournalFile), state.journal_key,
                               JournalBirth(ReadClocks().wall, WallTime(HOLDFAST_BUILT_AT * 1000),
                                            WrittenAt(dir.PathOf("bundle.pb"))));
  };
  auto journal = open();
  const bool is_full = !journal.ok() && journal.error().code == Code::kExhausted;
  return is_full && reserve.Release() ? open() : std::move(journal);
}

SegmentSpool::Options SpoolOptions(std::uint64_t max_bytes) {
  SegmentSpool::Options options;
  options.max_bytes = max_bytes;
  // A descriptor for each file: their number does not grow with the cap.
  options.segment_bytes = std::max(options.segment_bytes, max_bytes / kMaxSpoolFiles);
  return options;
}

// What one run of the warden is about; all of it outlives the run.
struct WardenRun {
  const StateDir& dir;
  const AgentState& state;
  const AgentOptions& options;
  WardenLoop::Until until;
};

// Journal, spool, workers, link process and loop around one Warden, until the loop ends.
Result<Ended> RunWarden(const sign::Crypto& crypto, const WardenRun& run) {
  const auto& [dir, state, agent_options, until] = run;
  DiskReserve reserve(dir.PathOf("reserve"));
  HF_ASSIGN_OR_RETURN(auto journal, OpenJournal(crypto, dir, state, reserve));
  SayWhereJournalIsFrom(*journal, until == WardenLoop::Until::kOpen);
  const auto spool_options = SpoolOptions(agent_options.spool_max_bytes);
  HF_ASSIGN_OR_RETURN(auto spool, SegmentSpool::Open(dir.PathOf("spool"), spool_options));
  if (spool->dropped_bytes() > 0) {
    WriteLogLine(LogLine(LogLevel::kWarn, "spool_cut")
                     .Num("bytes", static_cast<std::int64_t>(spool->dropped_bytes())));
  }
  HF_ASSIGN_OR_RETURN(const SelfExec self, SelfExec::Open());
  const std::unique_ptr<CommandGroups> groups = CommandGroups::Open();
  LinuxWorkers workers(self, dir.path(), groups.get());
  const auto link_user = ::geteuid() == 0 ? std::optional<UserIds>(LinkUser()) : std::nullopt;
  const auto& servers = state.bundle.servers();
  RouteFile routes(dir, {servers.begin(), servers.end()});
  if (agent_options.proxy) HF_TRY(routes.SetProxy(*agent_options.proxy));
  LinkFence fence(routes, {servers.begin(), servers.end()},
                  link_user ? std::optional<std::uint32_t>(link_user->user) : std::nullopt);
  IsolationState isolation(dir);
  UpdateState updates(dir, ThisProgram(HOLDFAST_VERSION));
  Warden warden({crypto, *state.key, state.trust, *journal, *spool, workers, reserve, fence,
                 isolation, updates},
                MakeIdentity(crypto, state), state.LinkConfig());
  LinkChild link(self, link_user, routes);
  std::uint32_t seed = 0;
  crypto.Random({reinterpret_cast<std::uint8_t*>(&seed), sizeof seed});
  WardenLoop loop(warden, link, workers, seed);
  HF_TRY(loop.Prepare());
  HF_TRY(warden.Recover(ReadClocks()));
  ::malloc_trim(0);
  const Outcome outcome = loop.Run(until, agent_options.timeout);
  return Ended{outcome, warden.last_close()};
}

std::string Describe(const std::optional<HangUp>& close) {
  if (!close) return "no answer";
  std::string out(link::ToString(close->reason));
  if (!close->detail.empty()) out += ": " + ForTerminal(Untrusted(close->detail));
  if (const auto next = NextStep(close->reason); !next.empty()) out.append("; ").append(next);
  return out;
}

Result<std::string> ReadBundleText(const std::string& path) {
  return ReadWholeFile(path == "-" ? "/dev/stdin" : path, kMaxBundleTextBytes);
}

}  // namespace

int Enrol(const AgentOptions& options) {
  SetLogLevel(LogLevel::kError);
  auto text = ReadBundleText(options.bundle);
  if (!text.ok()) return Fail(kExitFailed, text.error().message);
  if (auto place = CheckIsPlaceForState(options.state); !place.ok()) {
    return Fail(kExitUsage, place.error().message);
  }
  auto dir = StateDir::Open(options.state, StateDir::Mode::kCreateAndOwn);
  if (!dir.ok()) return Fail(kExitFailed, dir.error().message);
  const auto crypto = NewMbedtlsCrypto();
  auto state = PrepareAgentState(*crypto, dir.value(), text.value(), ReadClocks().wall);
  if (!state.ok()) return Fail(kExitFailed, state.error().message);
  auto ended = RunWarden(*crypto, {dir.value(), state.value(), options, WardenLoop::Until::kOpen});
  if (!ended.ok()) return Fail(kExitFailed, ended.error().message);
  const std::string server =
      state.value().bundle.servers_size() > 0 ? state.value().bundle.servers(0) : "the server";
  switch (ended.value().outcome) {
    case Outcome::kOpen: break;
    case Outcome::kRefused:
      return Fail(kExitRefused, server + " refused: " + Describe(ended.value().last_close));
    case Outcome::kTimedOut:
      return Fail(kExitUnreachable,
                  "cannot reach " + server + ": " + Describe(ended.value().last_close));
    case Outcome::kStopped: return Fail(kExitFailed, "interrupted");
    case Outcome::kJournalBroken:
    case Outcome::kRestart:
    case Outcome::kFailed: return Fail(kExitFailed, "the journal or the system refused");
  }
  if (auto marked = MarkEnrolled(dir.value(), state.value()); !marked.ok()) {
    return Fail(kExitFailed, marked.error().message);
  }
  std::printf("%s\n", state.value().id.hex().c_str());
  return kExitOk;
}

namespace {

int RunOnce(const AgentOptions& options, bool& is_to_restart) {
  auto dir = StateDir::Open(options.state, StateDir::Mode::kOwn);
  if (!dir.ok() && dir.error().code != Code::kNotFound) {
    return Fail(kExitFailed, dir.error().message);
  }
  const auto crypto = NewMbedtlsCrypto();
  std::optional<AgentState> state;
  if (dir.ok()) {
    auto loaded = LoadAgentState(*crypto, dir.value(), ReadClocks().wall);
    if (!loaded.ok() && loaded.error().code != Code::kNotFound) {
      return Fail(kExitFailed, loaded.error().message);
    }
    if (loaded.ok()) state = std::move(loaded).value();
  }
  if (!state || !state->bundle.token().empty()) {
    return Fail(kExitUsage, "not enrolled: there is no finished enrolment in " + options.state +
                                "; run holdfast-agent enrol --bundle FILE --state " +
                                options.state);
  }
  SayWhatRootWouldAdd();
  WriteLogLine(LogLine(LogLevel::kInfo, "agent_started")
                   .Id("agent", state->id.hex())
                   .Id("version", HOLDFAST_VERSION));
  auto ended = RunWarden(*crypto, {dir.value(), *state, options, WardenLoop::Until::kStopped});
  if (!ended.ok()) return Fail(kExitFailed, ended.error().message);
  if (ended.value().outcome == Outcome::kJournalBroken) {
    return Fail(kExitFailed, "the journal is damaged; the next start begins a new one");
  }
  WriteLogLine(LogLine(LogLevel::kInfo, "agent_stopped"));
  is_to_restart = ended.value().outcome == Outcome::kRestart;
  return ended.value().outcome == Outcome::kStopped ? kExitOk : kExitFailed;
}

}  // namespace

int Run(const AgentOptions& options) {
  bool is_to_restart = false;
  const int status = RunOnce(options, is_to_restart);
  if (!is_to_restart) return status;
  // All that this one held is let go of: the lock, the journal, its children.
  return Fail(kExitFailed, BecomePackagedProgram(options.argv).message);
}

}  // namespace holdfast::agent
