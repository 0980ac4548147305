#include "agent/verbs/capture_frames.h"

#include <algorithm>
#include <utility>

#include <net/if_arp.h>

#include "agent/tables/text.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

constexpr std::uint32_t kSection = 0x0A0D0D0A;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kStatistics = 5;
constexpr std::uint32_t kPacket = 6;
constexpr std::uint16_t kNameOption = 2;
constexpr std::uint16_t kResolutionOption = 9;
constexpr std::uint16_t kReceivedOption = 4;
constexpr std::uint16_t kDroppedOption = 5;
constexpr std::size_t kBlockFrameBytes = 12;  // type, length, length again

void PutPadded(std::string& out, std::string_view bytes) {
  out += bytes;
  out.append((4 - bytes.size() % 4) % 4, '\0');
}
void PutOption(std::string& out, std::uint16_t code, std::string_view value) {
  AppendLittle(out, code, 2);
  AppendLittle(out, value.size(), 2);
  PutPadded(out, value);
}
void PutTime(std::string& out, std::uint64_t unix_ns) {
  AppendLittle(out, unix_ns >> 32, 4);
  AppendLittle(out, unix_ns & 0xFFFFFFFF, 4);
}
std::string Block(std::uint32_t type, std::string_view body) {
  std::string out;
  AppendLittle(out, type, 4);
  AppendLittle(out, body.size() + kBlockFrameBytes, 4);
  out += body;
  AppendLittle(out, body.size() + kBlockFrameBytes, 4);
  return out;
}

}  // namespace

std::optional<std::uint16_t> LinkTypeOf(std::uint16_t hardware) {
  switch (hardware) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK: return kLinkEthernet;
    case ARPHRD_IEEE80211: return 105;
    case ARPHRD_IEEE80211_RADIOTAP: return 127;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case ARPHRD_RAWIP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE: return kLinkRaw;
    default: return std::nullopt;
  }
}

std::string SectionBlock() {
  std::string body;
  AppendLittle(body, 0x1A2B3C4D, 4);
  AppendLittle(body, 1, 2);
  AppendLittle(body, 0, 2);
  AppendLittle(body, UINT64_MAX, 8);  // its length is not known
  return Block(kSection, body);
}

std::string InterfaceBlock(std::uint16_t link_type, std::uint32_t snap_bytes,
                           std::string_view name) {
  std::string body;
  AppendLittle(body, link_type, 2);
  AppendLittle(body, 0, 2);
  AppendLittle(body, snap_bytes, 4);
  PutOption(body, kNameOption, name);
  PutOption(body, kResolutionOption, "\x09");  // nanoseconds
  AppendLittle(body, 0, 4);
  return Block(kInterface, body);
}

void AddPacketBlock(std::uint32_t interface, std::uint64_t unix_ns, std::uint32_t whole_bytes,
                    std::string_view bytes, std::string& out) {
  std::string body;
  AppendLittle(body, interface, 4);
  PutTime(body, unix_ns);
  AppendLittle(body, bytes.size(), 4);
  AppendLittle(body, std::max<std::uint64_t>(whole_bytes, bytes.size()), 4);
  PutPadded(body, bytes);
  out += Block(kPacket, body);
}

std::string StatisticsBlock(std::uint32_t interface, std::uint64_t unix_ns, std::uint64_t received,
                            std::uint64_t dropped) {
  std::string body;
  AppendLittle(body, interface, 4);
  PutTime(body, unix_ns);
  for (const auto& [code, count] :
       {std::pair{kReceivedOption, received}, std::pair{kDroppedOption, dropped}}) {
    std::string value;
    AppendLittle(value, count, 8);
    PutOption(body, code, value);
  }
  AppendLittle(body, 0, 4);
  return Block(kStatistics, body);
}

std::optional<TcpEnds> TcpEndsOf(std::uint16_t link_type, std::string_view frame) {
  constexpr std::size_t kMacs = 12;
  constexpr std::size_t kIpv6Bytes = 40;
  constexpr char kTcp = 6;
  const auto cut = [&frame](std::size_t bytes) {
    const std::string_view part = frame.substr(0, bytes);
    frame.remove_prefix(std::min(bytes, frame.size()));
    return part;
  };
  if (link_type == kLinkEthernet) {
    cut(kMacs);
    std::uint64_t type = BigEndian(cut(2));
    for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88A8); ++tags) {
      cut(2);
      type = BigEndian(cut(2));
    }
    if (type != 0x0800 && type != 0x86DD) return std::nullopt;
  } else if (link_type != kLinkRaw) {
    return std::nullopt;
  }
  if (frame.empty()) return std::nullopt;
  TcpEnds ends;
  const unsigned char first = static_cast<unsigned char>(frame[0]);
  if (first >> 4 == 4) {
    const std::size_t head_bytes = std::size_t{4} * (first & 0xF);
    const std::string_view head = cut(head_bytes);
    // Of a fragment only the first one has ports.
    if (head.size() < 20 || head[9] != kTcp || (BigEndian(head.substr(6, 2)) & 0x1FFF) != 0) {
      return std::nullopt;
    }
    for (TcpEnd* const end : {&ends.from, &ends.to}) end->address[10] = end->address[11] = 0xFF;
    std::ranges::copy(head.substr(12, 4), ends.from.address.begin() + 12);
    std::ranges::copy(head.substr(16, 4), ends.to.address.begin() + 12);
  } else if (first >> 4 == 6) {
    const std::string_view head = cut(kIpv6Bytes);
    if (head.size() < kIpv6Bytes || head[6] != kTcp) return std::nullopt;
    std::ranges::copy(head.substr(8, 16), ends.from.address.begin());
    std::ranges::copy(head.substr(24, 16), ends.to.address.begin());
  } else {
    return std::nullopt;
  }
  if (frame.size() < 4) return std::nullopt;
  ends.from.port = static_cast<std::uint16_t>(BigEndian(cut(2)));
  ends.to.port = static_cast<std::uint16_t>(BigEndian(cut(2)));
  return ends;
}

}  // namespace holdfast::agent
