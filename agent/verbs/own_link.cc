#include "agent/verbs/own_link.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <unistd.h>

#include "agent/tables/net_files.h"
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/text.h"
#include "agent/verbs/signal_process.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxNetBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxPeers = 16;  // servers, and those left a moment ago

}  // namespace

OwnLink::OwnLink() {
  for (const std::int64_t pid : WantedPids({}, 0, machine_)) {
    const auto stat = ProcStatOf(machine_, pid);
    if (stat && stat->parent == getppid() && stat->name == "holdfast-link") pid_ = pid;
  }
  Look();
}

void OwnLink::Look() {
  if (pid_ == 0) return;
  const auto names = machine_.List(ProcPath(pid_, "fd"));
  if (!names.ok()) return;
  std::set<std::uint64_t> sockets;
  for (const std::string& name : names.value()) {
    const auto link = machine_.ReadLink(ProcPath(pid_, "fd/" + name));
    const auto inode = link.ok() ? ParseInodeLink(link.value(), "socket") : std::nullopt;
    if (inode) sockets.insert(*inode);
  }
  if (sockets == sockets_) return;
  sockets_ = std::move(sockets);
  ReadPeers("net/tcp");
  ReadPeers("net/tcp6");
}

void OwnLink::ReadPeers(const char* file) {
  const auto text = machine_.ReadFile(ProcPath(pid_, file), kMaxNetBytes);
  std::string_view rest = text.ok() ? std::string_view(text.value()) : std::string_view();
  std::string_view line;
  while (NextLine(rest, line)) {
    const auto socket = ParseInetSocket(line);
    if (!socket || !sockets_.contains(socket->inode) || socket->remote_port == 0) continue;
    TcpEnd peer = {.address = {}, .port = static_cast<std::uint16_t>(socket->remote_port)};
    const std::string& address = socket->remote_address;
    const std::string mapped =
        address.find(':') == std::string::npos ? "::ffff:" + address : address;
    if (inet_pton(AF_INET6, mapped.c_str(), peer.address.data()) != 1) continue;
    if (std::ranges::find(peers_, peer) != peers_.end()) continue;
    if (peers_.size() == kMaxPeers) peers_.erase(peers_.begin());
    peers_.push_back(peer);
  }
}

bool OwnLink::Has(const TcpEnds& ends) const {
  return std::ranges::any_of(
      peers_, [&](const TcpEnd& peer) { return peer == ends.from || peer == ends.to; });
}

}  // namespace holdfast::agent
