// release: whoever stands at the machine as root ends its isolation. A running agent does it and logs it.
// reclose: at boot, before there is an agent.
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include <unistd.h>

#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/state_dir.h"
#include "agent/app/agent_state.h"
#include "agent/app/cli.h"
#include "agent/app/isolation_state.h"
#include "agent/app/link_fence.h"
#include "agent/app/link_routes.h"
#include "agent/app/log.h"
#include "agent/app/warden_main.h"
#include "agent/core/isolation.h"

namespace holdfast::agent {
namespace {

// The agent looks every 3 s (Isolation::kLook).
constexpr Duration kPatience = std::chrono::seconds(15);
constexpr timespec kPollPause{0, 100'000'000};

int Released(const char* by) {
  std::printf("this machine is isolated no more (%s)\n", by);
  return kExitOk;
}

int ReleaseHere(const StateDir& dir) {
  if (auto ended = EndIsolation(dir); !ended.ok()) return Fail(kExitFailed, ended.error().message);
  WriteLogLine(LogLine(LogLevel::kWarn, "isolation_ended").Id("why", "released_at_the_machine"));
  return Released("its agent does not run");
}

int AskAgent(const StateDir& dir) {
  if (auto asked = IsolationState(dir).AskForRelease(); !asked.ok()) {
    return Fail(kExitFailed, asked.error().message);
  }
  const TimePoint deadline = ReadClocks().now + kPatience;
  while (ReadClocks().now < deadline) {
    if (!IsIsolated(dir)) return Released("by its agent, which has logged it");
    ::nanosleep(&kPollPause, nullptr);
  }
  return Fail(kExitFailed, "the agent runs and has not released it; stop it and try again");
}

}  // namespace

int Release(const AgentOptions& options) {
  const auto dir = StateDir::Open(options.state, StateDir::Mode::kLook);
  if (!dir.ok()) {
    const bool is_missing = dir.error().code == Code::kNotFound;
    return is_missing ? Fail(kExitUsage, "not enrolled: nothing in " + options.state)
                      : Fail(kExitFailed, dir.error().message);
  }
  if (!IsIsolated(dir.value())) {
    std::printf("this machine is not isolated\n");
    return kExitOk;
  }
  const auto own = StateDir::Open(options.state, StateDir::Mode::kOwn);
  if (own.ok()) return ReleaseHere(own.value());
  if (own.error().code != Code::kExists) return Fail(kExitFailed, own.error().message);
  return AskAgent(dir.value());
}

int Reclose(const AgentOptions& options) {
  const auto dir = StateDir::Open(options.state, StateDir::Mode::kOwn);
  if (!dir.ok()) {
    // None, or an agent runs: then it has done so itself.
    const bool is_good = dir.error().code == Code::kNotFound || dir.error().code == Code::kExists;
    return is_good ? kExitOk : Fail(kExitFailed, dir.error().message);
  }
  if (!IsIsolated(dir.value())) return kExitOk;
  const auto bundle = ReadBundle(dir.value());
  if (!bundle.ok()) return Fail(kExitFailed, bundle.error().message);
  const std::vector<std::string> servers(bundle.value().servers().begin(),
                                         bundle.value().servers().end());
  const RouteFile routes(dir.value(), servers);
  LinkFence fence(routes, servers, LinkUser().user);
  IsolationState file(dir.value());
  LogQueue log;
  Isolation isolation(fence, file, log);
  isolation.Recover(ReadClocks());
  bool is_done = true;
  while (const auto line = log.Next()) {
    is_done = is_done && line->level() != LogLevel::kError;
    WriteLogLine(*line);
  }
  return is_done ? kExitOk : kExitFailed;
}

}  // namespace holdfast::agent
