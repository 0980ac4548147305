#include "agent/app/link_config.h"

#include <cstdlib>
#include <utility>

#include <nss.h>

#include "agent/app/link_routes.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::agent {
namespace {

constexpr int kMaxServers = 8;  // trust.proto
// resolv.conf(5): 2 s a try, two tries of each name server. The default, 5 s, would keep a link away for
// longer than its last address takes.
constexpr char kResolverOptions[] = "timeout:2 attempts:2";

}  // namespace

Result<LinkConfig> ReadLinkConfig(WardenPipe& pipe) {
  LinkRoutes routes;
  HF_ASSIGN_OR_RETURN(LinkMessageView message, pipe.ReadFirst());
  if (message.type == LinkMessageType::kRoutes) {
    routes = ParseRoutes(message.payload);
    HF_ASSIGN_OR_RETURN(message, pipe.ReadFirst());
  }
  ::holdfast::command::v1::Bundle bundle;
  if (message.type != LinkMessageType::kConfig ||
      !bundle.ParseFromArray(message.payload.data(), static_cast<int>(message.payload.size()))) {
    return Error{Code::kInvalid, "warden: the first message is not a kConfig"};
  }
  if (bundle.servers().empty() || bundle.servers().size() > kMaxServers) {
    return Error{Code::kInvalid, "the bundle must name 1 to 8 servers"};
  }
  LinkConfig out;
  out.ca_pem = bundle.ca_pem();
  for (const std::string& server : bundle.servers()) {
    out.servers.push_back(server);
    out.last_addresses.push_back(routes.AddressOf(server));
  }
  out.proxy = ProxyOf(routes.proxy);
  out.last_proxy_address = routes.AddressOf(kProxyName);
  return out;
}

void PrepareLookUps() {
  ::setenv("RES_OPTIONS", kResolverOptions, 1);
#if defined(__GLIBC__)
  __nss_configure_lookup("hosts", "files dns");
#endif
}

}  // namespace holdfast::agent
