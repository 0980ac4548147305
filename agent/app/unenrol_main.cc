// unenrol: this machine is no endpoint any more. Deletes key, bundle, journal and results.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/linux/directory.h"
#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/os_error.h"
#include "agent/adapters/linux/state_dir.h"
#include "agent/app/agent_state.h"
#include "agent/app/cli.h"
#include "agent/app/isolation_state.h"
#include "agent/app/update_state.h"
#include "agent/app/warden_main.h"
#include "agent/core/program_arch.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"

namespace holdfast::agent {
namespace {

Status Remove(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? Ok() : Status(OsError(path.c_str(), errno));
  }
  if (!S_ISDIR(info.st_mode)) {
    return ::unlink(path.c_str()) == 0 ? Ok() : Status(OsError(path.c_str(), errno));
  }
  // One level: the spool's files. Directories below it are nobody's that we know.
  HF_ASSIGN_OR_RETURN(const auto names, ListNames(path));
  for (const std::string& name : names) {
    const std::string below = path + "/" + name;
    if (::unlink(below.c_str()) != 0) return OsError(below.c_str(), errno);
  }
  return ::rmdir(path.c_str()) == 0 ? Ok() : Status(OsError(path.c_str(), errno));
}

// What an agent makes; also ".new" and ".bad", "-wal" and "-shm" of it.
bool IsOurs(std::string_view name) {
  constexpr std::array<std::string_view, 12> kOurs = {
      kEnrolledFile, kBundleFile,  kKeyFile,  kJournalFile,   "spool",     "routes",
      "reserve",     "agent.lock", "doctor.", kIsolationFile, kUpdateFile, kProgramsDir};
  return std::ranges::any_of(kOurs, [&](std::string_view ours) { return name.starts_with(ours); });
}

Status Empty(const StateDir& dir) {
  HF_TRY(EndIsolation(dir));  // nobody would any more, but the kernel when its time is over
  // First what makes it an agent: whatever is interrupted afterwards has ended one.
  for (const std::string_view name : {kEnrolledFile, kBundleFile, kKeyFile}) {
    HF_TRY(Remove(dir.PathOf(name)));
  }
  HF_ASSIGN_OR_RETURN(const auto names, ListNames(dir.path()));
  // Last the journal: until it is gone, there is something to ask for again.
  for (const bool is_journal : {false, true}) {
    for (const std::string& name : names) {
      if (IsOurs(name) && name.starts_with(kJournalFile) == is_journal) {
        HF_TRY(Remove(dir.PathOf(name)));
      }
    }
  }
  return Ok();
}

// Also of one that was ended half.
bool HoldsAnAgent(const std::string& path) {
  for (const std::string_view name : {kBundleFile, kKeyFile, kJournalFile}) {
    struct stat info {};
    if (::lstat((path + "/" + std::string(name)).c_str(), &info) == 0) return true;
  }
  return false;
}

}  // namespace

int Unenrol(const AgentOptions& options) {
  // Before anything is made or locked there.
  if (!HoldsAnAgent(options.state)) {
    return Fail(kExitUsage, "not enrolled: no agent in " + options.state);
  }
  // One that was interrupted may have taken the lock away already.
  const auto dir = StateDir::Open(options.state, StateDir::Mode::kCreateAndOwn);
  if (!dir.ok()) {
    const bool runs = dir.error().code == Code::kExists;
    return Fail(kExitFailed, dir.error().message +
                                 (runs ? "; stop it first: systemctl stop holdfast-agent" : ""));
  }
  // A state that is broken can go, too; then nobody can say whose it was.
  const auto state = LoadAgentState(*NewMbedtlsCrypto(), dir.value(), ReadClocks().wall);
  if (const Status emptied = Empty(dir.value()); !emptied.ok()) {
    return Fail(kExitFailed, emptied.error().message);
  }
  std::printf("%s\n", state.ok() ? state.value().id.hex().c_str() : "unknown");
  return kExitOk;
}

}  // namespace holdfast::agent
