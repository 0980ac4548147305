#include "agent/tables/socket_rows.h"

#include <array>

#include "agent/tables/net_files.h"
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

// 64 MiB: some 400,000 connections; more are left out.
constexpr std::size_t kMaxNetFileBytes = std::size_t{64} << 20;

struct NetFile {
  std::string_view name;
  int family;
  int protocol;  // IPPROTO_*
};
constexpr int kTcp = 6;
constexpr std::array<NetFile, 11> kNetFiles = {{
    {"net/tcp", kFamilyIpv4, kTcp},
    {"net/tcp6", kFamilyIpv6, kTcp},
    {"net/udp", kFamilyIpv4, 17},
    {"net/udp6", kFamilyIpv6, 17},
    {"net/udplite", kFamilyIpv4, 136},
    {"net/udplite6", kFamilyIpv6, 136},
    {"net/raw", kFamilyIpv4, 255},
    {"net/raw6", kFamilyIpv6, 255},
    {"net/icmp", kFamilyIpv4, 1},
    {"net/icmp6", kFamilyIpv6, 1},
    {"net/unix", kFamilyUnix, 0},
}};

}  // namespace

SocketWalk::SocketWalk(const Request& request, std::size_t pid_column, Machine& machine)
    : machine_(machine), one_pid_(request.Equal(pid_column) != nullptr) {
  for (const std::int64_t pid : WantedPids(request, pid_column, machine)) FindHolders(pid);
  next_namespace_ = namespaces_.cbegin();
  next_file_ = kNetFiles.size();
}

void SocketWalk::FindHolders(std::int64_t pid) {
  const auto net = machine_.ReadLink(ProcPath(pid, "ns/net"));
  const auto space = net.ok() ? ParseInodeLink(net.value(), "net") : std::nullopt;
  if (!space) return;
  namespaces_.emplace(*space, pid);
  const auto names = machine_.List(ProcPath(pid, "fd"));
  if (!names.ok()) return;
  for (const std::string& name : names.value()) {
    const auto fd = ParseInt(name);
    const auto link = machine_.ReadLink(ProcPath(pid, "fd/" + name));
    const auto inode = link.ok() ? ParseInodeLink(link.value(), "socket") : std::nullopt;
    if (fd && inode) holders_[*inode].push_back({.pid = pid, .fd = *fd});
  }
}

bool SocketWalk::NextFile() {
  while (true) {
    if (next_file_ == kNetFiles.size()) {
      if (next_namespace_ == namespaces_.cend()) return false;
      namespace_ = next_namespace_->first;
      ++next_namespace_;
      next_file_ = 0;
    }
    file_ = next_file_++;
    const std::int64_t pid = namespaces_.at(namespace_);
    auto text = machine_.ReadFile(ProcPath(pid, kNetFiles[file_].name), kMaxNetFileBytes);
    if (!text.ok()) continue;  // without IPv6, or the process went away
    text_ = std::move(text).value();
    rest_ = text_;
    return true;
  }
}

bool SocketWalk::ParseLine(std::string_view line, SocketFact& socket) const {
  const NetFile& file = kNetFiles[file_];
  socket = SocketFact{};
  socket.family = file.family;
  socket.protocol = file.protocol;
  socket.net_namespace = namespace_;
  if (file.family == kFamilyUnix) {
    auto parsed = ParseUnixSocket(line);
    if (!parsed) return false;
    socket.inode = parsed->inode;
    socket.path = std::move(parsed->path);
    return true;
  }
  auto parsed = ParseInetSocket(line);
  if (!parsed) return false;
  socket.inode = parsed->inode;
  socket.local_address = std::move(parsed->local_address);
  socket.remote_address = std::move(parsed->remote_address);
  socket.local_port = parsed->local_port;
  socket.remote_port = parsed->remote_port;
  if (file.protocol == kTcp) socket.state = TcpStateName(parsed->state);
  return true;
}

bool SocketWalk::Next(SocketFact& socket) {
  while (true) {
    if (pending_ != nullptr && next_pending_ < pending_->size()) {
      const Holder& holder = (*pending_)[next_pending_++];
      socket = current_;
      socket.pid = holder.pid;
      socket.fd = holder.fd;
      return true;
    }
    pending_ = nullptr;
    std::string_view line;
    if (!NextLine(rest_, line)) {
      if (!NextFile()) return false;
      continue;
    }
    if (!ParseLine(line, current_)) continue;
    // Inode 0: a connection in TIME_WAIT or not yet accepted; nobody holds it.
    const auto found = current_.inode == 0 ? holders_.end() : holders_.find(current_.inode);
    if (found != holders_.end()) {
      pending_ = &found->second;
      next_pending_ = 0;
    } else if (!one_pid_) {
      socket = current_;
      return true;
    }
  }
}

}  // namespace holdfast::agent
