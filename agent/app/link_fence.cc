#include "agent/app/link_fence.h"

#include <algorithm>
#include <utility>

#include <netinet/in.h>
#include <sys/stat.h>

#include "agent/adapters/linux/state_dir.h"
#include "common/adapters/lws/lws_client.h"
#include "common/base/ip_network.h"

namespace holdfast::agent {
namespace {

constexpr char kResolvConf[] = "/etc/resolv.conf";
constexpr char kResolved[] = "/run/systemd/resolve";
constexpr char kResolvedConf[] = "/run/systemd/resolve/resolv.conf";
constexpr std::size_t kMaxResolvConfBytes = std::size_t{64} * 1024;
constexpr std::uint16_t kDns = 53;
constexpr std::uint8_t kTcp = IPPROTO_TCP;
constexpr std::uint8_t kUdp = IPPROTO_UDP;

bool IsLoopback(const std::string& bytes) {
  if (bytes.size() == 4) return bytes[0] == 127;
  return bytes == std::string(15, '\0') + '\1';
}

IpNetwork Host(std::string address, std::uint16_t port) {
  const auto bits = static_cast<unsigned>(address.size() * 8);
  return {std::move(address), bits, port};
}

std::vector<std::string> NameServersOf(const char* path) {
  const auto text = ReadWholeFile(path, kMaxResolvConfBytes);
  return text.ok() ? NameServersIn(text.value()) : std::vector<std::string>();
}

}  // namespace

std::vector<std::string> NameServersIn(std::string_view text) {
  constexpr std::string_view kKey = "nameserver";
  std::vector<std::string> out;
  while (!text.empty() && out.size() < 3) {  // MAXNS: a resolver asks no more
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(kKey) || line.size() == kKey.size()) continue;
    line.remove_prefix(kKey.size());
    if (line[0] != ' ' && line[0] != '\t') continue;
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    // A scope ("fe80::1%eth0") is the interface's, and no part of the address.
    std::string address = ParseIpAddress(std::string(line.substr(0, line.find_first_of(" \t\r%"))));
    if (!address.empty()) out.push_back(std::move(address));
  }
  return out;
}

Status LinkFence::Close(const std::vector<std::string>& allow, Duration left) {
  HF_ASSIGN_OR_RETURN(auto peers, Peers(allow));
  return Put(std::move(peers), left);
}

Status LinkFence::Put(std::vector<NftPeer> peers, Duration left) {
  HF_TRY(kernel_.Close(peers, left));
  peers_ = std::move(peers);
  return Ok();
}

Result<Fence::Found> LinkFence::Look(const std::vector<std::string>& allow, Duration left) {
  HF_ASSIGN_OR_RETURN(auto peers, Peers(allow));
  HF_ASSIGN_OR_RETURN(const bool is_untouched, kernel_.IsUntouched());
  if (is_untouched && peers == peers_) return Found::kStands;
  HF_TRY(Put(std::move(peers), left));
  return is_untouched ? Found::kMoved : Found::kGone;
}

Status LinkFence::Open() { return kernel_.Open(); }

Result<std::vector<NftPeer>> LinkFence::Peers(const std::vector<std::string>& allow) const {
  std::vector<NftPeer> peers;
  bool has_name = false;
  for (const std::string& server : servers_) {
    const auto url = ParseServerUrl(server);
    if (!url.ok()) continue;
    AddWay(url.value().host, url.value().port, server, peers);
    has_name = has_name || ParseIpAddress(url.value().host).empty();
  }
  if (const auto proxy = ProxyOf(routes_.routes().proxy)) {
    AddWay(proxy->host, proxy->port, kProxyName, peers);
    has_name = has_name || ParseIpAddress(proxy->host).empty();
  }
  if (has_name) AddNameServers(peers);
  for (const std::string& text : allow) {
    HF_ASSIGN_OR_RETURN(const IpNetwork network, ParseIpNetwork(text));
    if (network.port == 0) {
      peers.push_back({network, 0, {}});
    } else {
      for (const std::uint8_t protocol : {kTcp, kUdp}) {
        peers.push_back({network, protocol, {}});
      }
    }
  }
  return peers;
}

void LinkFence::AddWay(const std::string& host, int port, std::string_view name,
                       std::vector<NftPeer>& peers) const {
  std::vector<std::string> addresses;
  if (std::string numeric = ParseIpAddress(host); !numeric.empty())
    addresses = {std::move(numeric)};
  for (const std::string& text : routes_.AddressesOf(name)) {
    std::string address = ParseIpAddress(text);
    if (!address.empty() && std::ranges::find(addresses, address) == addresses.end()) {
      addresses.push_back(std::move(address));
    }
  }
  for (std::string& address : addresses) {
    peers.push_back({Host(std::move(address), static_cast<std::uint16_t>(port)), kTcp, user_});
  }
}

void LinkFence::AddNameServers(std::vector<NftPeer>& peers) const {
  std::vector<std::string> asked = NameServersOf(kResolvConf);
  std::optional<std::uint32_t> user = user_;
  if (!asked.empty() && std::ranges::all_of(asked, IsLoopback)) {
    struct stat found {};
    if (::stat(kResolved, &found) != 0) return;
    asked = NameServersOf(kResolvedConf);
    user = found.st_uid;
  }
  for (const std::string& address : asked) {
    for (const std::uint8_t protocol : {kUdp, kTcp}) {
      peers.push_back({Host(address, kDns), protocol, user});
    }
  }
}

}  // namespace holdfast::agent
