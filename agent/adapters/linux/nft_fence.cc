#include "agent/adapters/linux/nft_fence.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "agent/adapters/linux/os_error.h"
#include "agent/adapters/linux/unique_fd.h"

namespace holdfast::agent {
namespace {

constexpr timeval kPatience{5, 0};   // for one answer; the kernel may load modules first
constexpr int kSendBytes = 1 << 20;  // a batch goes in one piece
constexpr std::size_t kAnswerBytes = 8192;

// No errno's own words say what to do about it.
Error NftError(int number) {
  switch (number) {
    case EPERM:
    case EACCES:
      return {
          Code::kDenied,
          "this agent may not change the machine's firewall (not root, or without CAP_NET_ADMIN)"};
    // No netfilter, no nf_tables, no family inet, or one of the expressions is missing.
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
    case EOPNOTSUPP:
    case ENOENT:
      return {Code::kUnsupported, "this machine's kernel has no nftables: it cannot be isolated"};
    default: return OsError("nftables", number);
  }
}

// One read of answers. `got`: until the end was seen.
struct Answer {
  bool is_end = false;
  int error = 0;
  std::uint32_t generation = 0;
};

void ReadGeneration(const nlmsghdr& head, const char* message, Answer& answer) {
  std::size_t at = NLMSG_LENGTH(sizeof(nfgenmsg));
  while (at + sizeof(nlattr) <= head.nlmsg_len) {
    nlattr attribute{};
    std::memcpy(&attribute, message + at, sizeof attribute);
    if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > head.nlmsg_len) return;
    if ((attribute.nla_type & NLA_TYPE_MASK) == NFTA_GEN_ID &&
        attribute.nla_len == sizeof attribute + sizeof answer.generation) {
      std::memcpy(&answer.generation, message + at + sizeof attribute, sizeof answer.generation);
    }
    at += (attribute.nla_len + 3U) & ~3U;
  }
}

// Messages that are no answer to our last one are passed over; the first error is the batch's.
Answer ReadAnswers(const char* bytes, std::size_t size) {
  Answer answer;
  while (size >= sizeof(nlmsghdr) && !answer.is_end) {
    nlmsghdr head{};
    std::memcpy(&head, bytes, sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > size) break;
    if (head.nlmsg_type == NLMSG_ERROR && head.nlmsg_len >= NLMSG_LENGTH(sizeof(int))) {
      int error = 0;
      std::memcpy(&error, bytes + NLMSG_HDRLEN, sizeof error);
      answer.error = -error;
      answer.is_end = error != 0 || head.nlmsg_seq == kLastOfBatch;
    } else if (head.nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN)) {
      ReadGeneration(head, bytes, answer);
      answer.is_end = true;
    }
    const std::size_t step = std::min<std::size_t>(size, NLMSG_ALIGN(head.nlmsg_len));
    bytes += step;
    size -= step;
  }
  return answer;
}

// The generation that it says, if it was asked for one.
Result<std::uint32_t> Ask(const std::string& request) {
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd.is_open()) return NftError(errno);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSendBytes, sizeof kSendBytes);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd.get(), request.data(), request.size(), 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) {
    return NftError(errno);
  }
  std::array<char, kAnswerBytes> buffer;
  for (;;) {
    const auto got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return OsError("nftables does not answer", got < 0 ? errno : EIO);
    const Answer answer = ReadAnswers(buffer.data(), static_cast<std::size_t>(got));
    if (answer.error != 0) return NftError(answer.error);
    if (answer.is_end) return answer.generation;
  }
}

}  // namespace

Status NftFence::Close(const std::vector<NftPeer>& peers, Duration left) {
  HF_TRY(Ask(CloseBatch(peers, left)));
  HF_ASSIGN_OR_RETURN(generation_, Ask(GenerationRequest()));
  return Ok();
}

Status NftFence::Open() {
  HF_TRY(Ask(OpenBatch()));
  return Ok();
}

Result<bool> NftFence::IsUntouched() {
  HF_ASSIGN_OR_RETURN(const std::uint32_t generation, Ask(GenerationRequest()));
  return generation == generation_;
}

}  // namespace holdfast::agent
