#include "common/adapters/lws/tcp_facts.h"

// Not <netinet/tcp.h>: its tcp_info ends before the byte counts (Linux 4.1 and later), and the two
// headers do not go together.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace holdfast::lws {

std::uint64_t BytesReceived(int fd) {
  tcp_info facts{};
  socklen_t size = sizeof facts;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &facts, &size) != 0) return 0;
  return facts.tcpi_bytes_received;
}

}  // namespace holdfast::lws
