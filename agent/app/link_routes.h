// LinkRoutes: how an agent reaches its servers: through which proxy too, and where each was last.
//
// One text for the state directory (<state>/routes) and for the link process (kRoutes):
//   proxy http://USER:PASSWORD@HOST:PORT      at most one; in the state directory also "proxy env"
//   address wss://HOST:PORT 192.0.2.7         one per server, and one of the proxy under the name "proxy"
//
// Limits:    kMaxRoutesBytes. A line that does not read is left out: an agent without routes still has
//            its servers.
// Threading: values and functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/adapters/linux/state_dir.h"
#include "common/adapters/lws/http_proxy.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxRoutesBytes = std::size_t{4} * 1024;
inline constexpr std::string_view kProxyFromEnvironment = "env";
inline constexpr std::string_view kProxyName = "proxy";  // in the place of a server
inline constexpr std::size_t kMaxDialledAddresses =
    16;  // of one server: more than a resolver gives

struct KnownAddress {
  std::string server;   // as in the bundle
  std::string address;  // numeric
};

struct LinkRoutes {
  std::string proxy;  // URL, kProxyFromEnvironment, or empty: none
  std::vector<KnownAddress> known;

  std::string AddressOf(std::string_view server) const;  // empty: none
};

std::string FormatRoutes(const LinkRoutes& routes);
LinkRoutes ParseRoutes(std::string_view text);
// "SERVER ADDRESS", as the link process reports it; nullopt if the address is not numeric.
std::optional<KnownAddress> ParseKnownAddress(std::string_view text);

// What --proxy may say: a proxy's URL, "env" or "none"; the setting to keep, empty for "none".
Result<std::string> ProxySetting(std::string_view value);
// The proxy behind a setting, looked up in this process's environment for "env"; nullopt: none.
std::optional<HttpProxy> ProxyOf(const std::string& setting);

// RouteFile: <state>/routes, kept by warden. Borrows the state directory.
class RouteFile {
 public:
  RouteFile(const StateDir& dir, std::vector<std::string> servers);

  const LinkRoutes& routes() const { return routes_; }
  // For the link process: with the proxy itself where the setting is "env".
  std::string ForLink() const;
  Status SetProxy(std::string setting);
  // What the link process reports: no more to be trusted than the network. Only a server of ours counts.
  void OnReached(std::string_view report);
  // "SERVER ADDRESS...": where it is about to be looked for. Not kept over a restart.
  void OnDialling(std::string_view report);
  // Where a server, or kProxyName, is: where it was reached last, and where it is looked for.
  std::vector<std::string> AddressesOf(std::string_view server) const;

 private:
  Status Save() const;
  bool IsOurs(std::string_view server) const;

  const StateDir& dir_;
  const std::vector<std::string> servers_;
  LinkRoutes routes_;
  std::vector<KnownAddress> dialled_;
};

}  // namespace holdfast::agent
