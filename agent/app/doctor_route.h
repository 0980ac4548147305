// ProbeRoute: one way to one server, step by step up to the server's Challenge; no Hello is ever sent, so
// that an agent that runs keeps its link.
//
//   direct:  name -> tcp -> tls -> upgrade -> challenge       (tls only with wss)
//   through a proxy:  proxy -> tls -> upgrade -> challenge
//
// Blocks; each step has ProbeTarget::patience at most. The first step that fails is the last.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/app/doctor_report.h"
#include "common/adapters/lws/http_proxy.h"
#include "common/adapters/lws/lws_client.h"

namespace holdfast::agent {

struct ProbeTarget {
  std::string server;
  std::string last_address;
  std::optional<HttpProxy> proxy;
  std::string ca_pem;
  Duration patience{};
};
// The server's clock at its Challenge, Unix ms, and ours; nullopt: it did not come so far.
struct ServerClock {
  std::uint64_t server_ms = 0;
  std::uint64_t our_ms = 0;
};
std::optional<ServerClock> ProbeRoute(const ProbeTarget& target, DoctorReport& report);

}  // namespace holdfast::agent
