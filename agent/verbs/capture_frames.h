// CaptureFrames: packets as pcapng blocks, and what of a packet says whose it is.
//
//   SectionBlock() -> InterfaceBlock(...) -> PacketBlock(...)* -> StatisticsBlock(...)
//
// Threading: pure functions.
// Errors:    a packet that is too short, or is no TCP, has no ends.
// Design:    docs/decisions/0127-capture.md
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

inline constexpr std::uint16_t kLinkEthernet = 1;  // LINKTYPE_* of pcap
inline constexpr std::uint16_t kLinkRaw = 101;     // begins with IP

// For ARPHRD_*; none: a kind of frame that we do not know.
std::optional<std::uint16_t> LinkTypeOf(std::uint16_t hardware);

std::string SectionBlock();
// `snap_bytes`: longest packet; `name`: of the interface.
std::string InterfaceBlock(std::uint16_t link_type, std::uint32_t snap_bytes,
                           std::string_view name);
// `interface`: how many InterfaceBlocks came before its own.
void AddPacketBlock(std::uint32_t interface, std::uint64_t unix_ns, std::uint32_t whole_bytes,
                    std::string_view bytes, std::string& out);
std::string StatisticsBlock(std::uint32_t interface, std::uint64_t unix_ns, std::uint64_t received,
                            std::uint64_t dropped);

// An address (of IPv4: mapped into IPv6) and a port of TCP.
struct TcpEnd {
  std::array<unsigned char, 16> address = {};
  std::uint16_t port = 0;
  bool operator==(const TcpEnd&) const = default;
};
struct TcpEnds {
  TcpEnd from, to;
};
std::optional<TcpEnds> TcpEndsOf(std::uint16_t link_type, std::string_view frame);

}  // namespace holdfast::agent
