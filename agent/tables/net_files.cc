#include "agent/tables/net_files.h"

#include <array>
#include <cstring>

#include <arpa/inet.h>

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kWordDigits =
    8;  // the kernel prints addresses as %08X words of its byte order
constexpr std::size_t kIpv4Digits = kWordDigits;
constexpr std::size_t kIpv6Digits = 4 * kWordDigits;

// "0100007F:1F90"
bool ParseEndpoint(std::string_view text, std::string& address, int& port) {
  const std::string_view digits = NextField(text, ':');
  const auto number = ParseUint(text, 16);
  if (!number || *number > 0xffff) return false;
  if (digits.size() != kIpv4Digits && digits.size() != kIpv6Digits) return false;
  std::array<unsigned char, 16> bytes = {};
  for (std::size_t at = 0; at < digits.size(); at += kWordDigits) {
    const auto value = ParseUint(digits.substr(at, kWordDigits), 16);
    if (!value) return false;
    const auto word = static_cast<std::uint32_t>(*value);
    std::memcpy(bytes.data() + at / 2, &word, sizeof word);
  }
  std::array<char, INET6_ADDRSTRLEN> text_of = {};
  const int family = digits.size() == kIpv4Digits ? AF_INET : AF_INET6;
  if (inet_ntop(family, bytes.data(), text_of.data(), text_of.size()) == nullptr) return false;
  address = text_of.data();
  port = static_cast<int>(*number);
  return true;
}

}  // namespace

std::optional<InetSocket> ParseInetSocket(std::string_view line) {
  InetSocket socket;
  NextWord(line);  // sl
  const std::string_view local = NextWord(line);
  const std::string_view remote = NextWord(line);
  const auto state = ParseUint(NextWord(line), 16);
  for (int skipped = 0; skipped < 5; ++skipped)
    NextWord(line);  // queues, timer, retrnsmt, uid, timeout
  const auto inode = ParseUint(NextWord(line));
  if (!state || *state > 0xff || !inode) return std::nullopt;
  if (!ParseEndpoint(local, socket.local_address, socket.local_port)) return std::nullopt;
  if (!ParseEndpoint(remote, socket.remote_address, socket.remote_port)) return std::nullopt;
  socket.state = static_cast<int>(*state);
  socket.inode = *inode;
  return socket;
}

// "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/x"
std::optional<UnixSocket> ParseUnixSocket(std::string_view line) {
  const std::string_view number = NextWord(line);
  if (number.empty() || number.back() != ':') return std::nullopt;
  for (int skipped = 0; skipped < 5; ++skipped) {  // references, protocol, flags, type, state
    if (!ParseUint(NextWord(line), 16)) return std::nullopt;
  }
  const auto inode = ParseUint(NextWord(line));
  if (!inode) return std::nullopt;
  if (!line.empty()) line.remove_prefix(1);  // the one space; the path may begin with more
  return UnixSocket{.inode = *inode, .path = std::string(line)};
}

std::string_view TcpStateName(int state) {
  constexpr std::array<std::string_view, 12> kNames = {
      "UNKNOWN",   "ESTABLISHED", "SYN_SENT",   "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
      "TIME_WAIT", "CLOSED",      "CLOSE_WAIT", "LAST_ACK", "LISTEN",    "CLOSING"};
  const auto at = static_cast<std::size_t>(state);
  return at < kNames.size() ? kNames[at] : kNames[0];
}

}  // namespace holdfast::agent
