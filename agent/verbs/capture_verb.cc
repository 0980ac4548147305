// capture: what passes the interfaces, by an AF_PACKET socket, as pcapng.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/tables/text.h"
#include "agent/verbs/capture_frames.h"
#include "agent/verbs/own_link.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

using CaptureClock = std::chrono::steady_clock;

// CaptureArgs.
constexpr std::size_t kInstructionBytes = 8;
constexpr std::size_t kMaxInstructions = 4000;
constexpr std::chrono::milliseconds kDefaultDuration{60'000};
constexpr std::uint64_t kDefaultCaptureBytes = std::uint64_t{256} << 20;
constexpr std::uint32_t kLongestPacket = 262'144;  // as tcpdump has it

constexpr std::uint16_t kEveryProtocol = 3;      // ETH_P_ALL
constexpr std::uint16_t kVlanProtocol = 0x8100;  // ETH_P_8021Q
constexpr std::size_t kVlanBytes = 4;
constexpr std::size_t kMacsBytes = 12;
constexpr int kReceiveBytes = 16 << 20;  // in the kernel, while the output waits
constexpr std::size_t kSendBytes = std::size_t{64} * 1024;
constexpr int kQuietMs = 200;  // then what is there goes out
constexpr std::chrono::milliseconds kLinkLook{1000};

struct Ends {
  std::chrono::milliseconds duration;
  std::uint64_t packets;
  std::uint64_t bytes;
  std::uint32_t snap;
};

class Capture {
 public:
  Capture(const pb::CaptureArgs& args, VerbRun& run)
      : args_(args),
        run_(run),
        ends_{.duration = args.duration_ms() == 0
                              ? kDefaultDuration
                              : std::chrono::milliseconds(
                                    std::min<std::uint64_t>(args.duration_ms(), INT32_MAX)),
              .packets = args.packets() == 0 ? UINT64_MAX : args.packets(),
              .bytes = args.max_bytes() == 0 ? kDefaultCaptureBytes : args.max_bytes(),
              .snap = args.snap_bytes() == 0 ? kLongestPacket
                                             : std::min(args.snap_bytes(), kLongestPacket)},
        buffer_(std::make_unique_for_overwrite<char[]>(kVlanBytes + kLongestPacket)) {}

  pb::Result Run() {
    if (pb::Result opened = Open(); opened.outcome() != pb::OUTCOME_DONE) return opened;
    out_ = SectionBlock();
    const CaptureClock::time_point until = CaptureClock::now() + ends_.duration;
    CaptureClock::time_point look = CaptureClock::now() + kLinkLook;
    while (!is_over_) {
      const CaptureClock::time_point now = CaptureClock::now();
      if (now >= until) break;
      if (!args_.own_link() && now >= look) {
        own_.Look();
        look = now + kLinkLook;
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
      pollfd one = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
      const int ready = poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left, kQuietMs)));
      if (ready > 0) Drain();
      if ((ready <= 0 || out_.size() >= kSendBytes) && !Flush()) break;
    }
    return End();
  }

 private:
  pb::Result Open() {
    socket_.reset(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // nothing comes before bind
    if (!socket_.valid()) {
      const int error = errno;
      if (error == EPERM || error == EACCES) {
        return Failed(pb::COMMAND_FAILURE_PERMISSION,
                      "a capture takes CAP_NET_RAW, which the agent does not have");
      }
      if (error == EAFNOSUPPORT) {
        return Failed(pb::COMMAND_FAILURE_UNSUPPORTED,
                      "this kernel has no packet sockets (CONFIG_PACKET)");
      }
      return Failed(pb::COMMAND_FAILURE_IO, "packet socket: " + ErrnoText(error));
    }
    sockaddr_ll address = {};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(kEveryProtocol);
    if (!args_.interface().empty()) {
      address.sll_ifindex = static_cast<int>(if_nametoindex(args_.interface().c_str()));
      if (address.sll_ifindex == 0) {
        return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                      Shown(args_.interface()) + ": no such interface");
      }
    }
    if (pb::Result set = SetOptions(address.sll_ifindex); set.outcome() != pb::OUTCOME_DONE) {
      return set;
    }
    if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return Failed(pb::COMMAND_FAILURE_IO, Shown(args_.interface()) + ": " + ErrnoText(errno));
    }
    return Done();
  }

  template <typename Value>
  int Set(int level, int name, const Value& value) {
    return setsockopt(socket_.get(), level, name, &value, sizeof value);
  }

  pb::Result SetOptions(int interface) {
    if (Set(SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBytes) != 0) {
      (void)Set(SOL_SOCKET, SO_RCVBUF, kReceiveBytes);
    }
    (void)Set(SOL_SOCKET, SO_TIMESTAMPNS, 1);
    (void)Set(SOL_PACKET, PACKET_AUXDATA, 1);
    if (args_.promiscuous()) {
      packet_mreq wish = {};
      wish.mr_ifindex = interface;
      wish.mr_type = PACKET_MR_PROMISC;
      if (Set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, wish) !=
          0) {  // the kernel ends it with the socket
        return Failed(pb::COMMAND_FAILURE_IO, "promiscuous: " + ErrnoText(errno));
      }
    }
    if (args_.filter().empty()) return Done();
    std::vector<sock_filter> program;
    for (std::size_t at = 0; at < args_.filter().size(); at += kInstructionBytes) {
      const std::string_view one = std::string_view(args_.filter()).substr(at, kInstructionBytes);
      program.push_back({.code = static_cast<std::uint16_t>(LittleEndian(one.substr(0, 2))),
                         .jt = static_cast<unsigned char>(one[2]),
                         .jf = static_cast<unsigned char>(one[3]),
                         .k = static_cast<std::uint32_t>(LittleEndian(one.substr(4, 4)))});
    }
    const sock_fprog whole = {.len = static_cast<unsigned short>(program.size()),
                              .filter = program.data()};
    if (Set(SOL_SOCKET, SO_ATTACH_FILTER, whole) == 0) return Done();
    const int error = errno;
    return Failed(error == EINVAL ? pb::COMMAND_FAILURE_BAD_ARGUMENT : pb::COMMAND_FAILURE_IO,
                  "the kernel does not take the filter: " + ErrnoText(error));
  }

  void Drain() {
    while (!is_over_ && out_.size() < kSendBytes && TakeOne()) {
    }
  }

  // False: nothing is there now.
  bool TakeOne() {
    sockaddr_ll from = {};
    // Room before it for the tag that the kernel has taken out.
    iovec room = {.iov_base = buffer_.get() + kVlanBytes, .iov_len = kLongestPacket};
    alignas(cmsghdr) std::array<char, 256> control = {};
    msghdr message = {};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EINTR) return true;
      if (errno != EAGAIN) {
        error_ = errno;
        is_over_ = true;
      }
      return false;
    }
    Facts facts;
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
      ReadFact(*one, facts);
    }
    Take(from, static_cast<std::size_t>(got), facts);
    return true;
  }

  struct Facts {
    timespec at = {};
    tpacket_auxdata more = {};
  };
  static void ReadFact(const cmsghdr& one, Facts& facts) {
    const auto* const data = CMSG_DATA(&one);
    if (one.cmsg_level == SOL_SOCKET && one.cmsg_type == SO_TIMESTAMPNS &&
        one.cmsg_len >= CMSG_LEN(sizeof facts.at)) {
      std::memcpy(&facts.at, data, sizeof facts.at);
    } else if (one.cmsg_level == SOL_PACKET && one.cmsg_type == PACKET_AUXDATA &&
               one.cmsg_len >= CMSG_LEN(sizeof facts.more)) {
      std::memcpy(&facts.more, data, sizeof facts.more);
    }
  }

  void Take(const sockaddr_ll& from, std::size_t bytes, const Facts& facts) {
    // What goes out over loopback comes in again.
    if (from.sll_hatype == ARPHRD_LOOPBACK && from.sll_pkttype == PACKET_OUTGOING) return;
    const auto link_type = LinkTypeOf(from.sll_hatype);
    if (!link_type) {
      ++unknown_;
      return;
    }
    char* begin = buffer_.get() + kVlanBytes;
    std::uint64_t whole = std::max<std::uint64_t>(facts.more.tp_len, bytes);
    if ((facts.more.tp_status & TP_STATUS_VLAN_VALID) != 0 && *link_type == kLinkEthernet &&
        bytes >= kMacsBytes) {
      std::memmove(begin - kVlanBytes, begin, kMacsBytes);
      begin -= kVlanBytes;
      bytes += kVlanBytes;
      whole += kVlanBytes;
      const bool told = (facts.more.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
      const std::uint16_t protocol = told ? facts.more.tp_vlan_tpid : kVlanProtocol;
      for (const auto& [at, value] :
           {std::pair{kMacsBytes, protocol}, std::pair{kMacsBytes + 2, facts.more.tp_vlan_tci}}) {
        begin[at] = static_cast<char>(value >> 8);
        begin[at + 1] = static_cast<char>(value & 0xFF);
      }
    }
    const std::string_view frame(begin, bytes);
    if (!args_.own_link()) {
      const auto ends = TcpEndsOf(*link_type, frame);
      if (ends && own_.Has(*ends)) {
        ++own_packets_;
        return;
      }
    }
    Add(from, *link_type, frame, whole, facts.at);
  }

  void Add(const sockaddr_ll& from, std::uint16_t link_type, std::string_view frame,
           std::uint64_t whole, const timespec& at) {
    std::string block;
    auto interface = std::ranges::find(interfaces_, from.sll_ifindex);
    const auto index = static_cast<std::uint32_t>(interface - interfaces_.begin());
    if (interface == interfaces_.end()) {
      std::array<char, IF_NAMESIZE> name = {};
      (void)if_indextoname(static_cast<unsigned>(from.sll_ifindex), name.data());
      interfaces_.push_back(from.sll_ifindex);
      block = InterfaceBlock(link_type, ends_.snap, name.data());
    }
    const std::uint64_t ns = static_cast<std::uint64_t>(at.tv_sec) * 1'000'000'000 +
                             static_cast<std::uint64_t>(at.tv_nsec);
    AddPacketBlock(index, ns, static_cast<std::uint32_t>(whole), frame.substr(0, ends_.snap),
                   block);
    if (run_.out.written_bytes() + out_.size() + block.size() > ends_.bytes) {
      why_ = "; ended at " + std::to_string(ends_.bytes) + " bytes";
      is_over_ = true;
      return;
    }
    out_ += block;
    last_ns_ = ns;
    if (++packets_ >= ends_.packets) is_over_ = true;
  }

  bool Flush() {
    is_full_ = is_full_ || !run_.out.Output(out_);
    out_.clear();
    return !is_full_;
  }

  pb::Result End() {
    tpacket_stats stats = {};
    socklen_t size = sizeof stats;
    (void)getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size);
    if (interfaces_.size() == 1)
      out_ += StatisticsBlock(0, last_ns_, stats.tp_packets, stats.tp_drops);
    (void)Flush();
    std::string note = std::to_string(packets_) + " packets, " + std::to_string(stats.tp_drops) +
                       " dropped by the kernel for want of room" + why_;
    if (!args_.own_link()) {
      note += own_.is_known()
                  ? "; " + std::to_string(own_packets_) + " of the agent's own link left out"
                  : "; the agent's link was not found, so nothing of it is left out";
    }
    if (unknown_ > 0)
      note += "; " + std::to_string(unknown_) + " on interfaces of an unknown kind left out";
    if (is_full_) {
      pb::Result full = Failed(pb::COMMAND_FAILURE_OUTPUT_LIMIT, note);
      full.set_truncated(true);
      return full;
    }
    if (error_ != 0) {
      return Failed(pb::COMMAND_FAILURE_IO,
                    Shown(args_.interface()) + ": " + ErrnoText(error_) + "; " + note);
    }
    return DoneWith(note);
  }

  const pb::CaptureArgs& args_;
  VerbRun& run_;
  const Ends ends_;
  OwnLink own_;
  UniqueFd socket_;
  std::unique_ptr<char[]> buffer_;
  std::string out_;              // whole blocks
  std::vector<int> interfaces_;  // that a block was written for
  std::uint64_t packets_ = 0, own_packets_ = 0, unknown_ = 0, last_ns_ = 0;
  std::string why_;
  int error_ = 0;
  bool is_over_ = false, is_full_ = false;
};

std::string CaptureComplaint(const pb::CaptureArgs& args) {
  if (args.interface().size() >= IF_NAMESIZE) return "an interface's name has at most 15 bytes";
  if (args.filter().size() % kInstructionBytes != 0 ||
      args.filter().size() > kMaxInstructions * kInstructionBytes) {
    return "a filter is at most 4000 instructions of 8 bytes";
  }
  if (args.promiscuous() && args.interface().empty()) return "promiscuous takes one interface";
  return "";
}

}  // namespace

pb::Result RunCapture(const pb::CaptureArgs& args, VerbRun& run) {
  if (const std::string wrong = CaptureComplaint(args); !wrong.empty()) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, wrong);
  }
  return Capture(args, run).Run();
}

}  // namespace holdfast::agent
