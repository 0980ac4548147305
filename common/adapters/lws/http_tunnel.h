// OpenTunnel: a TCP connection through an HTTP proxy to a server.
//
// Blocks, as looking a name up does: the agent's link has nothing else to do while it dials. Every
// address of the proxy's name gets its turn.
//
// Limits:    `timeout` for all of it but looking the name up; kAddressPatience per address.
// Ownership: the descriptor is the caller's, non-blocking and closed on exec.
// Threading: pure function of the network.
// Errors:    kNotFound: the proxy's name is unknown. kUnavailable: no address of it answers, or not in
//            time. kDenied: it refused the tunnel; the message has its HTTP status. kInvalid: what
//            answers is no HTTP proxy.
// Design:    docs/decisions/0036-below-the-dialler.md
#pragma once

#include <string_view>

#include "common/adapters/lws/http_proxy.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast {

// An address that swallows what is sent to it must leave time for the next.
inline constexpr Duration kAddressPatience = std::chrono::seconds(5);

// Connected TCP sockets to HOST:PORT, one try per address; the step that OpenTunnel() begins with.
Result<int> OpenTcp(std::string_view host, int port, Duration timeout);
Result<int> OpenTunnel(const HttpProxy& proxy, std::string_view host, int port, Duration timeout);

}  // namespace holdfast
