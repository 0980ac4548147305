// Readers of /proc/net/{tcp,udp,raw,...,unix}: one socket a line.
//
// Threading: pure functions.
// Errors:    nullopt for a line that is no socket: the heading, a torn line, a path with a newline.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

// Values of <sys/socket.h> on Linux, as rows carry them.
inline constexpr int kFamilyUnix = 1;
inline constexpr int kFamilyIpv4 = 2;
inline constexpr int kFamilyIpv6 = 10;

struct InetSocket {
  std::string local_address;
  std::string remote_address;
  int local_port = 0;
  int remote_port = 0;
  int state = 0;  // TCP_* of the kernel; also set for UDP, where it says little
  std::uint64_t inode = 0;
};
std::optional<InetSocket> ParseInetSocket(std::string_view line);  // family by the address's length

struct UnixSocket {
  std::uint64_t inode = 0;
  std::string path;  // '@' first: an abstract name
};
std::optional<UnixSocket> ParseUnixSocket(std::string_view line);

std::string_view TcpStateName(int state);  // "LISTEN", ...; "UNKNOWN"

}  // namespace holdfast::agent
