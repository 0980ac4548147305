// status and journal dump: looks at the state directory from outside, beside a running agent or without.
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/linux/directory.h"
#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/state_dir.h"
#include "agent/adapters/sqlite/sqlite_journal.h"
#include "agent/app/agent_state.h"
#include "agent/app/cli.h"
#include "agent/app/isolation_state.h"
#include "agent/app/json_text.h"
#include "agent/app/link_routes.h"
#include "agent/app/update_state.h"
#include "agent/app/warden_main.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "common/base/untrusted.h"

namespace holdfast::agent {
namespace {

// Somebody holds the lock.
bool IsRunning(const StateDir& dir) {
  const UniqueFd lock(::open(dir.PathOf("agent.lock").c_str(), O_RDONLY | O_CLOEXEC));
  return lock.is_open() && ::flock(lock.get(), LOCK_SH | LOCK_NB) != 0;
}

std::uint64_t SpoolBytes(const StateDir& dir) {
  std::uint64_t bytes = 0;
  const std::string spool = dir.PathOf("spool") + "/";
  const auto names = ListNames(spool);
  if (!names.ok()) return 0;
  for (const std::string& name : names.value()) {
    struct stat facts {};
    if (::stat((spool + name).c_str(), &facts) == 0) {
      bytes += static_cast<std::uint64_t>(facts.st_size);
    }
  }
  return bytes;
}

std::string ShownProxy(const StateDir& dir) {
  const std::string setting = RouteFile(dir, {}).routes().proxy;
  const auto proxy = setting == kProxyFromEnvironment ? std::nullopt : ProxyOf(setting);
  return proxy ? ShowProxy(*proxy) : setting;
}

struct Report {
  AgentState state;
  bool is_running = false;
  std::uint64_t spool_bytes = 0;
  std::string proxy;  // without its password; "env"; or empty
  std::optional<IsolationTerms> isolation;
  Moment at;  // of the look
  UpdateRecord updates;
  Result<std::unique_ptr<SqliteJournal>> journal;
};

// Nothing of a time that was not written down.
std::string Since(WallTime at, const char* word) {
  return at.get() == 0 ? std::string() : word + UtcText(at);
}

std::string MsOrNull(WallTime at) {
  return at.get() == 0 ? std::string("null") : std::to_string(at.get());
}

void PrintJson(const Report& report, const SqliteJournal::Counts& counts) {
  const bool ok = report.journal.ok();
  std::printf(
      "{\"id\":%s,\"fleet_id\":%s,\"fleet\":%s,\"version\":%s,\"enrolled\":%s,\"running\":%s,",
      JsonText(report.state.id.hex()).c_str(), JsonText(report.state.trust.fleet_id.hex()).c_str(),
      JsonText(report.state.bundle.fleet_name()).c_str(), JsonText(HOLDFAST_VERSION).c_str(),
      report.state.bundle.token().empty() ? "true" : "false", report.is_running ? "true" : "false");
  std::printf("\"servers\":[");
  for (int i = 0; i < report.state.bundle.servers_size(); ++i) {
    std::printf("%s%s", i > 0 ? "," : "", JsonText(report.state.bundle.servers(i)).c_str());
  }
  std::printf("],\"proxy\":%s", JsonText(report.proxy).c_str());
  std::printf(
      ",\"journal\":{\"ok\":%s,\"error\":%s,\"incarnation\":%s,\"birth_ms\":%llu,\"epoch\":%llu,",
      ok ? "true" : "false", JsonText(ok ? "" : report.journal.error().message).c_str(),
      JsonText(ok ? report.journal.value()->meta().incarnation.hex() : "").c_str(),
      ok ? static_cast<unsigned long long>(report.journal.value()->meta().birth.get()) : 0,
      ok ? static_cast<unsigned long long>(report.journal.value()->meta().epoch) : 0);
  std::printf(
      "\"received\":%llu,\"started\":%llu,\"done\":%llu,\"tombstones\":%llu},"
      "\"spool_bytes\":%llu,\"isolated_since_ms\":%s,\"isolated_until_ms\":%s",
      static_cast<unsigned long long>(counts.received),
      static_cast<unsigned long long>(counts.started), static_cast<unsigned long long>(counts.done),
      static_cast<unsigned long long>(counts.tombstones),
      static_cast<unsigned long long>(report.spool_bytes),
      report.isolation ? std::to_string(report.isolation->since.get()).c_str() : "null",
      report.isolation ? std::to_string(WallEnd(*report.isolation, report.at).get()).c_str()
                       : "null");
  const UpdateRecord& updates = report.updates;
  std::printf(",\"fetched\":%s,\"fetched_ms\":%s,\"floor\":%s,\"on_trial\":%s,",
              ThisProgram(HOLDFAST_VERSION).is_chosen ? "true" : "false",
              MsOrNull(updates.current_since).c_str(),
              updates.floor.empty() ? "null" : JsonText(updates.floor).c_str(),
              updates.trial ? JsonText(updates.trial->program.version).c_str() : "null");
  std::printf("\"taken_back\":%s,\"taken_back_ms\":%s,\"taken_back_why\":%s}\n",
              updates.failed ? JsonText(updates.failed->program.version).c_str() : "null",
              MsOrNull(updates.failed ? updates.failed->at : WallTime(0)).c_str(),
              updates.failed ? JsonText(updates.failed->why).c_str() : "null");
}

void PrintProgram(const UpdateRecord& updates) {
  const bool is_chosen = ThisProgram(HOLDFAST_VERSION).is_chosen;
  std::printf("program    %s, %s%s\n", HOLDFAST_VERSION,
              is_chosen ? "fetched by an update" : "as packaged",
              is_chosen ? Since(updates.current_since, ", proven ").c_str() : "");
  if (updates.trial) {
    std::printf("on trial   %s, started %u times\n", updates.trial->program.version.c_str(),
                updates.trial->starts);
  }
  if (updates.failed) {
    std::printf("taken back %s%s: %s\n", updates.failed->program.version.c_str(),
                Since(updates.failed->at, ", ").c_str(),
                ForTerminal(Untrusted(updates.failed->why)).c_str());
  }
  if (!updates.floor.empty()) std::printf("floor      %s\n", updates.floor.c_str());
}

void PrintText(const Report& report, const SqliteJournal::Counts& counts) {
  std::printf("agent      %s\n", report.state.id.hex().c_str());
  std::printf("fleet      %s (%s)\n",
              ForTerminal(Untrusted(report.state.bundle.fleet_name())).c_str(),
              report.state.trust.fleet_id.hex().c_str());
  for (const auto& server : report.state.bundle.servers()) {
    std::printf("server     %s\n", ForTerminal(Untrusted(server)).c_str());
  }
  if (!report.proxy.empty()) {
    std::printf("proxy      %s\n", ForTerminal(Untrusted(report.proxy)).c_str());
  }
  std::printf("enrolled   %s\n", report.state.bundle.token().empty() ? "yes" : "not finished");
  std::printf("running    %s\n", report.is_running ? "yes" : "no");
  PrintProgram(report.updates);
  if (report.isolation) {
    std::printf("isolated   since %s, until %s\n", UtcText(report.isolation->since).c_str(),
                UtcText(WallEnd(*report.isolation, report.at)).c_str());
  }
  if (report.journal.ok()) {
    std::printf(
        "journal    %llu waiting, %llu started, %llu to upload, %llu tombstones; epoch %llu\n",
        static_cast<unsigned long long>(counts.received),
        static_cast<unsigned long long>(counts.started),
        static_cast<unsigned long long>(counts.done),
        static_cast<unsigned long long>(counts.tombstones),
        static_cast<unsigned long long>(report.journal.value()->meta().epoch));
  } else {
    std::printf("journal    %s\n", report.journal.error().message.c_str());
  }
  std::printf("spool      %llu bytes\n", static_cast<unsigned long long>(report.spool_bytes));
}

Result<Report> Look(const sign::Crypto& crypto, const std::string& path) {
  HF_ASSIGN_OR_RETURN(const StateDir dir, StateDir::Open(path, StateDir::Mode::kLook));
  HF_ASSIGN_OR_RETURN(AgentState state, LoadAgentState(crypto, dir, ReadClocks().wall));
  const MacKey key = state.journal_key;
  const Moment at = ReadClocks();
  auto isolation = IsolationState(dir).Read(at);
  auto updates = ReadUpdateRecord(dir);
  return Report{std::move(state),
                IsRunning(dir),
                SpoolBytes(dir),
                ShownProxy(dir),
                isolation.ok() ? std::move(isolation).value() : std::nullopt,
                at,
                updates.ok() ? std::move(updates).value() : UpdateRecord{},
                SqliteJournal::OpenReadOnly(crypto, dir.PathOf(kJournalFile), key)};
}

int NotThere(const Error& error, const std::string& state) {
  if (error.code == Code::kNotFound) return Fail(kExitUsage, "not enrolled: nothing in " + state);
  return Fail(kExitFailed, error.message);
}

const char* StateName(CommandState state) {
  switch (state) {
    case CommandState::kReceived: return "received";
    case CommandState::kStarted: return "started";
    case CommandState::kDone: return "done";
    case CommandState::kForgotten: return "tombstone";
  }
  return "?";
}

}  // namespace

int ShowStatus(const AgentOptions& options) {
  const auto crypto = NewMbedtlsCrypto();
  auto report = Look(*crypto, options.state);
  if (!report.ok()) return NotThere(report.error(), options.state);
  SqliteJournal::Counts counts;
  if (report.value().journal.ok()) {
    auto counted = report.value().journal.value()->Count();
    if (counted.ok()) counts = counted.value();
  }
  if (options.is_json) {
    PrintJson(report.value(), counts);
  } else {
    PrintText(report.value(), counts);
  }
  return kExitOk;
}

int DumpJournal(const AgentOptions& options) {
  const auto crypto = NewMbedtlsCrypto();
  auto report = Look(*crypto, options.state);
  if (!report.ok()) return NotThere(report.error(), options.state);
  if (!report.value().journal.ok()) {
    return Fail(kExitFailed, report.value().journal.error().message);
  }
  SqliteJournal& journal = *report.value().journal.value();
  const JournalMeta& meta = journal.meta();
  std::printf("incarnation %s birth_ms %llu epoch %llu time_floor_ms %llu\n",
              meta.incarnation.hex().c_str(), static_cast<unsigned long long>(meta.birth.get()),
              static_cast<unsigned long long>(meta.epoch),
              static_cast<unsigned long long>(meta.time_floor.get()));
  auto rows = journal.Open();
  if (!rows.ok()) return Fail(kExitFailed, rows.error().message);
  for (const JournalCommand& row : rows.value()) {
    std::printf(
        "%s %s attempt %u received_ms %llu started_ms %llu not_after_ms %llu chunks %llu"
        " result %zu B inline %zu B recoveries %u\n",
        row.digest.hex().c_str(), StateName(row.state), row.attempt,
        static_cast<unsigned long long>(row.received_at.get()),
        static_cast<unsigned long long>(row.started_at.get()),
        static_cast<unsigned long long>(row.not_after.get()),
        static_cast<unsigned long long>(row.chunk_count), row.result_envelope.size(),
        row.inline_output.size(), row.recoveries);
  }
  return kExitOk;
}

}  // namespace holdfast::agent
