// What the link process is told when it starts: servers, CA, and how to reach them.
//
// Errors:    kInvalid: not what warden says. kUnavailable: warden is gone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/app/warden_pipe.h"
#include "common/adapters/lws/http_proxy.h"

namespace holdfast::agent {

// Waits for warden's first messages.
struct LinkConfig {
  std::vector<std::string> servers;         // 1..8
  std::vector<std::string> last_addresses;  // of each, numeric; empty = none known
  std::string last_proxy_address;           // the same
  std::string ca_pem;
  std::optional<HttpProxy> proxy;
};
Result<LinkConfig> ReadLinkConfig(WardenPipe& pipe);

// Before the first look-up of a process. A static program must not load resolver plugins (mdns, sss, ...),
// which may not fit its libc; and a dead resolver must be noticed in seconds, not in half a minute.
void PrepareLookUps();

}  // namespace holdfast::agent
