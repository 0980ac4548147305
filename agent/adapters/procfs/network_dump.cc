#include "agent/adapters/procfs/network_dump.h"

#include <cerrno>
#include <memory>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kDatagramBytes = std::size_t{64} * 1024;  // the kernel sends at most 32 KiB
constexpr timeval kPatience = {.tv_sec = 5, .tv_usec = 0};      // for one datagram

int Request(int fd, std::uint16_t type) {
  struct {
    nlmsghdr header;
    rtgenmsg family;
  } request = {};
  request.header = {.nlmsg_len = NLMSG_LENGTH(sizeof request.family),
                    .nlmsg_type = type,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                    .nlmsg_seq = 1,
                    .nlmsg_pid = 0};
  request.family.rtgen_family = AF_UNSPEC;
  return send(fd, &request, request.header.nlmsg_len, 0) < 0 ? errno : 0;
}

// Whether the last message of the datagram ends the list.
bool Ends(const char* data, std::size_t size) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(data);
  auto rest = static_cast<unsigned>(size);
  for (; NLMSG_OK(header, rest); header = NLMSG_NEXT(header, rest)) {
    if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) return true;
  }
  return false;
}

}  // namespace

int ReadNetworkDump(NetworkDump what, std::string& messages) {
  const UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return errno;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  const std::uint16_t type = what == NetworkDump::kLinks       ? RTM_GETLINK
                             : what == NetworkDump::kAddresses ? RTM_GETADDR
                                                               : RTM_GETROUTE;
  if (const int error = Request(fd.get(), type); error != 0) return error;
  const auto buffer = std::make_unique<char[]>(kDatagramBytes);
  while (messages.size() < kMaxNetworkDumpBytes) {
    const ssize_t got = recv(fd.get(), buffer.get(), kDatagramBytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? EIO : errno;
    messages.append(buffer.get(), static_cast<std::size_t>(got));
    if (Ends(buffer.get(), static_cast<std::size_t>(got))) break;
  }
  return 0;
}

}  // namespace holdfast::agent
