// doctor: what keeps this agent from its servers, and what to do about it. Nothing is changed, and no Hello
// is sent: it may run beside the agent.
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <grp.h>
#include <unistd.h>

#include "agent/app/agent_state.h"
#include "agent/app/cli.h"
#include "agent/app/doctor_local.h"
#include "agent/app/doctor_report.h"
#include "agent/app/doctor_route.h"
#include "agent/app/link_config.h"
#include "agent/app/warden_main.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"

namespace holdfast::agent {
namespace {

// What comes from the network is parsed as link parses it: by a user who may nothing. By then the key is
// forgotten.
bool GiveUpRoot() {
  if (::geteuid() != 0) return true;
  const UserIds to = LinkUser();
  return ::setgroups(0, nullptr) == 0 && ::setresgid(to.group, to.group, to.group) == 0 &&
         ::setresuid(to.user, to.user, to.user) == 0;
}

void LookAtServers(const DoctorLocal& local, Duration patience, DoctorReport& report) {
  std::optional<ServerClock> clock;
  const auto proxy = ProxyOf(local.routes.proxy);
  for (const std::string& server : local.bundle.servers()) {
    ProbeTarget target{server, local.routes.AddressOf(server), {}, local.bundle.ca_pem(), patience};
    const auto direct = ProbeRoute(target, report);
    if (!clock) clock = direct;
    if (!proxy) continue;
    target.proxy = proxy;
    const auto tunnelled = ProbeRoute(target, report);
    if (!clock) clock = tunnelled;
  }
  if (!clock) return;
  report.Add(JudgeClock(static_cast<std::int64_t>(clock->our_ms) -
                        static_cast<std::int64_t>(clock->server_ms)));
}

}  // namespace

int Doctor(const AgentOptions& options) {
  DoctorReport report(options.state, HOLDFAST_VERSION);
  std::optional<DoctorLocal> local;
  {
    const auto crypto = NewMbedtlsCrypto();
    local = LookAtMachine(*crypto, options.state, report);
  }
  if (local) {
    if (!GiveUpRoot()) {
      std::fputs("holdfast-agent: cannot give up root\n", stderr);
      return kExitFailed;
    }
    PrepareLookUps();
    LookAtServers(*local, options.step_timeout, report);
  }
  const std::string text = options.is_json ? report.Json() : report.Table();
  std::fputs(text.c_str(), stdout);
  return report.is_good() ? kExitOk : kExitFailed;
}

}  // namespace holdfast::agent
