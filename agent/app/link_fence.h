// LinkFence: the Fence of this machine: around what the link needs to reach its servers, and what was allowed.
//
// The link: each server and the proxy, at the addresses that RouteFile knows, on its port, for the link process's user
// only; if one of them has a name, the name servers of resolv.conf(5) for the same user, or behind a resolver on this
// machine those that systemd-resolved says it asks.
//
// Ownership: borrows RouteFile.
// Threading: loop thread only.
// Errors:    as Fence has them.
// Design:    docs/decisions/0095-isolation.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/adapters/linux/nft_fence.h"
#include "agent/app/link_routes.h"
#include "agent/core/fence.h"

namespace holdfast::agent {

// Name servers, as resolv.conf(5) has them.
std::vector<std::string> NameServersIn(std::string_view text);

class LinkFence final : public Fence {
 public:
  // `servers`: as in the bundle. `user`: of the link process; nullopt: ours, who may not close anything.
  LinkFence(const RouteFile& routes, std::vector<std::string> servers,
            std::optional<std::uint32_t> user)
      : routes_(routes), servers_(std::move(servers)), user_(user) {}

  Status Close(const std::vector<std::string>& allow, Duration left) override;
  Result<Found> Look(const std::vector<std::string>& allow, Duration left) override;
  Status Open() override;

 private:
  Status Put(std::vector<NftPeer> peers, Duration left);
  Result<std::vector<NftPeer>> Peers(const std::vector<std::string>& allow) const;
  void AddWay(const std::string& host, int port, std::string_view name,
              std::vector<NftPeer>& peers) const;
  void AddNameServers(std::vector<NftPeer>& peers) const;

  const RouteFile& routes_;
  const std::vector<std::string> servers_;
  const std::optional<std::uint32_t> user_;
  NftFence kernel_;
  std::vector<NftPeer> peers_;  // that Close() let pass
};

}  // namespace holdfast::agent
