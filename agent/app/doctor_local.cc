#include "agent/app/doctor_local.h"

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/os_error.h"
#include "agent/adapters/linux/segment_spool.h"
#include "agent/adapters/linux/state_dir.h"
#include "agent/adapters/sqlite/sqlite_journal.h"
#include "agent/app/agent_state.h"
#include "agent/app/isolation_state.h"
#include "agent/app/update_state.h"

namespace holdfast::agent {
namespace {

// More than any clock that is kept by NTP; commands fail from 5 minutes on (NOT_YET_VALID).
constexpr std::int64_t kMaxClockOffsetMs = 60'000;
constexpr std::size_t kProbeBytes = std::size_t{64} * 1024;
constexpr char kEnrolAnew[] = "Enrol it anew: holdfast-agent enrol --bundle FILE --state DIR";

// Runs one step and times it: `look` gives what was found, or what is wrong.
template <typename Look>
bool Step(DoctorReport& report, const char* name, Look look, const std::string& fix) {
  const TimePoint start = ReadClocks().now;
  Result<std::string> found = look();
  DoctorStep step;
  step.step = name;
  step.is_ok = found.ok();
  step.took = ReadClocks().now - start;
  step.found = found.ok() ? found.value() : found.error().message;
  if (!found.ok()) step.fix = fix;
  report.Add(std::move(step));
  return found.ok();
}

// Of "2026-11-30 20:15:00 UTC".
std::string Day(std::uint64_t unix_ms) { return UtcText(WallTime(unix_ms)).substr(0, 10); }

std::string Mebibytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

// What the journal and the spool do, in small: write, fsync; and what they need to go on: room.
Result<std::string> TryDisk(const StateDir& dir) {
  const std::string path = dir.PathOf("doctor." + std::to_string(::getpid()));
  const UniqueFd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return OsError(path, errno);
  ::unlink(path.c_str());
  const DiskSpace space = SpaceOf(file.get());
  const std::string bytes(kProbeBytes, 'x');
  const auto written = ::write(file.get(), bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size())) {
    return OsError("writing to " + dir.path(), written < 0 ? errno : ENOSPC);
  }
  if (::fsync(file.get()) != 0) return OsError("fsync in " + dir.path(), errno);
  if (space.free_bytes < SpaceFloor(space.total_bytes)) {
    return Error{Code::kExhausted, "only " + Mebibytes(space.free_bytes) +
                                       " are free: commands wait below " +
                                       Mebibytes(SpaceFloor(space.total_bytes))};
  }
  return Mebibytes(space.free_bytes) + " free; 64 KiB written and synced";
}

Result<std::string> ReadJournal(const sign::Crypto& crypto, const StateDir& dir,
                                const sign::SigningKey& key) {
  HF_ASSIGN_OR_RETURN(const auto journal,
                      SqliteJournal::OpenReadOnly(crypto, dir.PathOf(kJournalFile),
                                                  JournalKey(crypto, key.secret_for_storage())));
  HF_ASSIGN_OR_RETURN(const auto counts, journal->Count());
  return std::to_string(counts.received + counts.started) + " open, " +
         std::to_string(counts.done) + " to upload";
}

Result<std::string> DescribeBundle(const ::holdfast::command::v1::Bundle& bundle) {
  if (!bundle.token().empty()) return Error{Code::kInvalid, "the enrolment was never finished"};
  if (bundle.servers().empty()) return Error{Code::kInvalid, "the bundle names no server"};
  return "fleet " + bundle.fleet_name() + ", " + std::to_string(bundle.servers_size()) +
         (bundle.servers_size() == 1 ? " server" : " servers");
}

}  // namespace

std::optional<DoctorLocal> LookAtMachine(const sign::Crypto& crypto, const std::string& path,
                                         DoctorReport& report) {
  std::optional<StateDir> dir;
  const auto open = [&]() -> Result<std::string> {
    auto opened = StateDir::Open(path, StateDir::Mode::kLook);
    if (!opened.ok()) return std::move(opened).error();
    dir = std::move(opened).value();
    return dir->path();
  };
  if (!Step(report, "state", open,
            "Run it as the agent's own user, with the --state that the agent has; or enrol.")) {
    return std::nullopt;
  }
  std::unique_ptr<sign::SigningKey> key;
  const auto read_key = [&]() -> Result<std::string> {
    HF_ASSIGN_OR_RETURN(key, ReadKey(crypto, *dir));
    report.SetAgent(sign::AgentIdOf(crypto, key->public_key()).hex());
    return "agent " + sign::AgentIdOf(crypto, key->public_key()).hex();
  };
  Step(report, "identity", read_key, kEnrolAnew);
  DoctorLocal out;
  const auto read_bundle = [&]() -> Result<std::string> {
    HF_ASSIGN_OR_RETURN(out.bundle, ReadBundle(*dir));
    return DescribeBundle(out.bundle);
  };
  Step(report, "bundle", read_bundle, kEnrolAnew);
  const auto read_policy = [&]() -> Result<std::string> {
    HF_ASSIGN_OR_RETURN(const auto trust, CheckPolicy(crypto, out.bundle, ReadClocks().wall));
    return "valid until " + Day(trust.policy.expires_ms());
  };
  Step(report, "policy", read_policy,
       "Compare this machine's clock (" + Day(ReadClocks().wall.get()) +
           ") first. If it is right, enrol with a new bundle.");
  Step(
      report, "disk", [&] { return TryDisk(*dir); },
      "Make room on the file system of the state directory, or look at the disk (dmesg).");
  if (key != nullptr) {
    Step(
        report, "journal", [&] { return ReadJournal(crypto, *dir, *key); },
        "At its next start the agent begins a new journal and refuses what was sent before.");
  }
  const Moment at = ReadClocks();
  if (const auto terms = IsolationState(*dir).Read(at); terms.ok() && terms.value()) {
    const auto say = [&]() -> Result<std::string> {
      return "until " + UtcText(WallEnd(*terms.value(), at)) +
             " only the agent's link may pass; holdfast-agent release ends it";
    };
    Step(report, "isolation", say, "");
  }
  // Of updates nothing is said where none was ever ordered.
  const auto updates = ReadUpdateRecord(*dir);
  const std::string words = updates.ok() ? DescribeUpdates(updates.value()) : std::string();
  if (!updates.ok() || !words.empty()) {
    const auto say = [&]() -> Result<std::string> {
      if (!updates.ok()) return updates.error();
      return words;
    };
    Step(report, "update", say,
         "The packaged program runs. The next update makes a new record: holdfast update start");
  }
  out.routes = RouteFile(*dir, {}).routes();
  if (out.bundle.servers().empty()) return std::nullopt;
  return out;
}

DoctorStep JudgeClock(std::int64_t offset_ms) {
  DoctorStep step;
  step.step = "clock";
  step.is_ok = offset_ms < kMaxClockOffsetMs && offset_ms > -kMaxClockOffsetMs;
  const std::int64_t seconds = (offset_ms < 0 ? -offset_ms : offset_ms) / 1000;
  step.found = seconds == 0 ? "as the server's"
                            : std::to_string(seconds) +
                                  (offset_ms < 0 ? " s behind" : " s ahead of") + " the server's";
  if (!step.is_ok) {
    step.fix =
        "Set the clocks (NTP). From 5 minutes on commands are refused as NOT_YET_VALID or EXPIRED.";
  }
  return step;
}

}  // namespace holdfast::agent
