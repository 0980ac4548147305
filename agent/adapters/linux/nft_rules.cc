#include "agent/adapters/linux/nft_rules.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

namespace holdfast::agent {
namespace {

constexpr char kSet[] = "alive";
constexpr std::uint32_t kSetId = 1;
// Before conntrack, NAT and every chain with one of the names that nft(8) gives to priorities.
constexpr std::int32_t kPriority = -500;
constexpr std::uint32_t kLoopback = 1;  // its index, in every network namespace (net/loopback.c)
constexpr std::uint32_t kTypeNfproto =
    2;  // what nft(8) calls the set's key; the kernel does not care

// Protocol numbers (netinet/in.h, which does not go with the kernel's headers).
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmpv6 = 58;

// RFC 4861, 3810 and 2710 (MLD: without it a switch that listens in forgets where we are), 1191 and 8201.
constexpr std::uint8_t kPacketTooBig = 2, kMldQuery = 130, kMldReport = 131, kMldDone = 132,
                       kRouterSolicitation = 133, kRouterAdvertisement = 134,
                       kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136,
                       kMldReportV2 = 143;
constexpr std::uint8_t kUnreachable = 3, kFragmentationNeeded = 4;

std::string Big(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xFF));
  return out;
}

std::string Native(std::uint32_t value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

std::string Byte(std::uint8_t value) { return std::string(1, static_cast<char>(value)); }

enum class Way : std::uint8_t { kIn, kOut, kThrough };

constexpr std::string_view NameOf(Way way) {
  return way == Way::kIn ? "in" : way == Way::kOut ? "out" : "forward";
}

// Messages and attributes, one behind the other; lengths are filled in when a part ends.
class Batch {
 public:
  void Message(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence = 0) {
    Begin(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags, sequence,
          NFPROTO_INET, 0);
  }
  // The marks around what the kernel takes whole or not at all.
  void Mark(std::uint16_t type) { Begin(type, 0, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES); }

  void Bytes(std::uint16_t type, std::string_view value) {
    const std::size_t at = Open(type);
    out_.append(value);
    Close(at);
  }
  void Text(std::uint16_t type, std::string_view value) { Bytes(type, std::string(value) + '\0'); }
  void Number(std::uint16_t type, std::uint32_t value) { Bytes(type, Big(value, 4)); }
  std::size_t Open(std::uint16_t type) {
    const std::size_t at = out_.size();
    nlattr head{0, type};
    out_.append(reinterpret_cast<const char*>(&head), sizeof head);
    return at;
  }
  std::size_t OpenNest(std::uint16_t type) {
    return Open(static_cast<std::uint16_t>(type | NLA_F_NESTED));
  }
  void Close(std::size_t at) {
    const auto length = static_cast<std::uint16_t>(out_.size() - at);
    std::memcpy(&out_[at], &length, sizeof length);
    out_.resize((out_.size() + 3) & ~std::size_t{3});
  }

  std::string Take() {
    EndMessage();
    return std::move(out_);
  }

 private:
  void Begin(std::uint16_t type, std::uint16_t flags, std::uint32_t sequence, std::uint8_t family,
             std::uint16_t resource) {
    EndMessage();
    message_ = out_.size();
    nlmsghdr head{0, type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags), sequence, 0};
    out_.append(reinterpret_cast<const char*>(&head), sizeof head);
    out_.append(Byte(family)).append(Byte(NFNETLINK_V0)).append(Big(resource, 2));
  }
  void EndMessage() {
    if (out_.empty()) return;
    const auto length = static_cast<std::uint32_t>(out_.size() - message_);
    std::memcpy(&out_[message_], &length, sizeof length);
  }

  std::string out_;
  std::size_t message_ = 0;  // where the last one begins
};

// One rule: a row of comparisons, and accept.
class Rule {
 public:
  Rule(Batch& batch, Way way) : batch_(batch), way_(way) {
    batch_.Message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    batch_.Text(NFTA_RULE_TABLE, kNftTableName);
    batch_.Text(NFTA_RULE_CHAIN, NameOf(way));
    list_ = batch_.OpenNest(NFTA_RULE_EXPRESSIONS);
  }

  Rule& Meta(std::uint32_t key, std::string_view is) {
    LoadMeta(key);
    return Compare(is);
  }
  Rule& Payload(std::uint32_t base, std::uint32_t offset, std::string_view is) {
    Load(base, offset, static_cast<std::uint32_t>(is.size()));
    return Compare(is);
  }
  Rule& Protocol(std::uint8_t is) { return Meta(NFT_META_L4PROTO, Byte(is)); }
  // Theirs is the destination of what goes out.
  Rule& TheirPort(std::uint16_t is) {
    return Payload(NFT_PAYLOAD_TRANSPORT_HEADER, way_ == Way::kOut ? 2 : 0, Big(is, 2));
  }
  Rule& OurPort(std::uint16_t is) {
    return Payload(NFT_PAYLOAD_TRANSPORT_HEADER, way_ == Way::kOut ? 0 : 2, Big(is, 2));
  }
  Rule& TheirAddress(const IpNetwork& network) {
    Meta(NFT_META_NFPROTO, Byte(network.is_v6() ? NFPROTO_IPV6 : NFPROTO_IPV4));
    const std::uint32_t offset =
        network.is_v6() ? (way_ == Way::kOut ? 24 : 8) : (way_ == Way::kOut ? 16 : 12);
    const auto bytes = static_cast<std::uint32_t>(network.address.size());
    Load(NFT_PAYLOAD_NETWORK_HEADER, offset, bytes);
    if (network.prefix < bytes * 8) Mask(network.prefix, bytes);
    return Compare(network.address);
  }
  // Neither IPv4 nor IPv6 is in the set any more: the time is over.
  Rule& TimeIsOver() {
    LoadMeta(NFT_META_NFPROTO);
    const auto [element, data] = OpenExpression("lookup");
    batch_.Text(NFTA_LOOKUP_SET, kSet);
    batch_.Number(NFTA_LOOKUP_SET_ID, kSetId);
    batch_.Number(NFTA_LOOKUP_SREG, NFT_REG_1);
    batch_.Number(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    CloseExpression(element, data);
    return *this;
  }
  void Accept() {
    const auto [element, data] = OpenExpression("immediate");
    batch_.Number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    const std::size_t value = batch_.OpenNest(NFTA_IMMEDIATE_DATA);
    const std::size_t verdict = batch_.OpenNest(NFTA_DATA_VERDICT);
    batch_.Number(NFTA_VERDICT_CODE, NF_ACCEPT);
    batch_.Close(verdict);
    batch_.Close(value);
    CloseExpression(element, data);
    batch_.Close(list_);
  }

 private:
  struct Opened {
    std::size_t element;
    std::size_t data;
  };
  Opened OpenExpression(std::string_view name) {
    const std::size_t element = batch_.OpenNest(NFTA_LIST_ELEM);
    batch_.Text(NFTA_EXPR_NAME, name);
    return {element, batch_.OpenNest(NFTA_EXPR_DATA)};
  }
  void CloseExpression(std::size_t element, std::size_t data) {
    batch_.Close(data);
    batch_.Close(element);
  }
  void LoadMeta(std::uint32_t key) {
    const auto [element, data] = OpenExpression("meta");
    batch_.Number(NFTA_META_DREG, NFT_REG_1);
    batch_.Number(NFTA_META_KEY, key);
    CloseExpression(element, data);
  }
  void Load(std::uint32_t base, std::uint32_t offset, std::uint32_t bytes) {
    const auto [element, data] = OpenExpression("payload");
    batch_.Number(NFTA_PAYLOAD_DREG, NFT_REG_1);
    batch_.Number(NFTA_PAYLOAD_BASE, base);
    batch_.Number(NFTA_PAYLOAD_OFFSET, offset);
    batch_.Number(NFTA_PAYLOAD_LEN, bytes);
    CloseExpression(element, data);
  }
  void Value(std::uint16_t type, std::string_view bytes) {
    const std::size_t at = batch_.OpenNest(type);
    batch_.Bytes(NFTA_DATA_VALUE, bytes);
    batch_.Close(at);
  }
  void Mask(unsigned prefix, std::uint32_t bytes) {
    std::string mask(bytes, '\0');
    for (unsigned bit = 0; bit < prefix; ++bit) {
      mask[bit / 8] =
          static_cast<char>(static_cast<unsigned char>(mask[bit / 8]) | 0x80U >> bit % 8);
    }
    const auto [element, data] = OpenExpression("bitwise");
    batch_.Number(NFTA_BITWISE_SREG, NFT_REG_1);
    batch_.Number(NFTA_BITWISE_DREG, NFT_REG_1);
    batch_.Number(NFTA_BITWISE_LEN, bytes);
    Value(NFTA_BITWISE_MASK, mask);
    Value(NFTA_BITWISE_XOR, std::string(bytes, '\0'));
    CloseExpression(element, data);
  }
  Rule& Compare(std::string_view is) {
    const auto [element, data] = OpenExpression("cmp");
    batch_.Number(NFTA_CMP_SREG, NFT_REG_1);
    batch_.Number(NFTA_CMP_OP, NFT_CMP_EQ);
    Value(NFTA_CMP_DATA, is);
    CloseExpression(element, data);
    return *this;
  }

  Batch& batch_;
  const Way way_;
  std::size_t list_ = 0;
};

void AddTable(Batch& batch, std::uint16_t type, std::uint16_t flags, std::uint32_t sequence = 0) {
  batch.Message(type, flags, sequence);
  batch.Text(NFTA_TABLE_NAME, kNftTableName);
}

// None, whatever there was: also where there was none.
void AddNoTable(Batch& batch, std::uint16_t flags = 0, std::uint32_t sequence = 0) {
  AddTable(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
  AddTable(batch, NFT_MSG_DELTABLE, flags, sequence);
}

void AddSet(Batch& batch, Duration left) {
  batch.Message(NFT_MSG_NEWSET, NLM_F_CREATE);
  batch.Text(NFTA_SET_TABLE, kNftTableName);
  batch.Text(NFTA_SET_NAME, kSet);
  batch.Number(NFTA_SET_ID, kSetId);
  batch.Number(NFTA_SET_FLAGS, NFT_SET_TIMEOUT);
  batch.Number(NFTA_SET_KEY_TYPE, kTypeNfproto);
  batch.Number(NFTA_SET_KEY_LEN, 1);
  batch.Message(NFT_MSG_NEWSETELEM, NLM_F_CREATE);
  batch.Text(NFTA_SET_ELEM_LIST_TABLE, kNftTableName);
  batch.Text(NFTA_SET_ELEM_LIST_SET, kSet);
  batch.Number(NFTA_SET_ELEM_LIST_SET_ID, kSetId);
  const std::size_t elements = batch.OpenNest(NFTA_SET_ELEM_LIST_ELEMENTS);
  for (const std::uint8_t family : {std::uint8_t{NFPROTO_IPV4}, std::uint8_t{NFPROTO_IPV6}}) {
    const std::size_t element = batch.OpenNest(NFTA_LIST_ELEM);
    const std::size_t key = batch.OpenNest(NFTA_SET_ELEM_KEY);
    batch.Bytes(NFTA_DATA_VALUE, Byte(family));
    batch.Close(key);
    const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 1));
    batch.Bytes(NFTA_SET_ELEM_TIMEOUT, Big(ms, 8));
    batch.Close(element);
  }
  batch.Close(elements);
}

void AddChain(Batch& batch, Way way, std::uint32_t hook) {
  batch.Message(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  batch.Text(NFTA_CHAIN_TABLE, kNftTableName);
  batch.Text(NFTA_CHAIN_NAME, NameOf(way));
  const std::size_t at = batch.OpenNest(NFTA_CHAIN_HOOK);
  batch.Number(NFTA_HOOK_HOOKNUM, hook);
  batch.Number(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(kPriority));
  batch.Close(at);
  batch.Number(NFTA_CHAIN_POLICY, NF_DROP);
  batch.Text(NFTA_CHAIN_TYPE, "filter");
}

void AddPeer(Batch& batch, Way way, const NftPeer& peer) {
  Rule rule(batch, way);
  rule.TheirAddress(peer.network);
  if (peer.protocol != 0) rule.Protocol(peer.protocol);
  if (peer.network.port != 0) rule.TheirPort(peer.network.port);
  if (way == Way::kOut && peer.user) rule.Meta(NFT_META_SKUID, Native(*peer.user));
  rule.Accept();
}

void AddIcmpv6(Batch& batch, Way way, std::uint8_t type) {
  Rule(batch, way)
      .Meta(NFT_META_NFPROTO, Byte(NFPROTO_IPV6))
      .Protocol(kIcmpv6)
      .Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, Byte(type))
      .Accept();
}

// What an interface needs to keep its addresses and its neighbours.
void AddUpkeep(Batch& batch) {
  constexpr std::uint16_t kDhcp = 67, kDhcpClient = 68, kDhcpv6 = 547, kDhcpv6Client = 546;
  for (const Way way : {Way::kIn, Way::kOut}) {
    Rule(batch, way).Protocol(kUdp).TheirPort(kDhcp).OurPort(kDhcpClient).Accept();
    Rule(batch, way).Protocol(kUdp).TheirPort(kDhcpv6).OurPort(kDhcpv6Client).Accept();
    for (const std::uint8_t type : {kNeighbourSolicitation, kNeighbourAdvertisement}) {
      AddIcmpv6(batch, way, type);
    }
  }
  for (const std::uint8_t type : {kRouterSolicitation, kMldReport, kMldDone, kMldReportV2}) {
    AddIcmpv6(batch, Way::kOut, type);
  }
  // A path that is narrower than it looks swallows the link's packets until they hear of it.
  for (const std::uint8_t type : {kRouterAdvertisement, kMldQuery, kPacketTooBig}) {
    AddIcmpv6(batch, Way::kIn, type);
  }
  Rule(batch, Way::kIn)
      .Meta(NFT_META_NFPROTO, Byte(NFPROTO_IPV4))
      .Protocol(kIcmp)
      .Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, Byte(kUnreachable) + Byte(kFragmentationNeeded))
      .Accept();
}

}  // namespace

std::string CloseBatch(const std::vector<NftPeer>& peers, Duration left) {
  Batch batch;
  batch.Mark(NFNL_MSG_BATCH_BEGIN);
  AddNoTable(batch);
  AddTable(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
  AddSet(batch, left);
  AddChain(batch, Way::kIn, NF_INET_LOCAL_IN);
  AddChain(batch, Way::kOut, NF_INET_LOCAL_OUT);
  AddChain(batch, Way::kThrough, NF_INET_FORWARD);
  Rule(batch, Way::kThrough).TimeIsOver().Accept();
  for (const Way way : {Way::kIn, Way::kOut}) {
    Rule(batch, way).TimeIsOver().Accept();
    Rule(batch, way)
        .Meta(way == Way::kIn ? NFT_META_IIF : NFT_META_OIF, Native(kLoopback))
        .Accept();
    for (const NftPeer& peer : peers) AddPeer(batch, way, peer);
  }
  AddUpkeep(batch);
  // Whose answer is the whole's: it only says again that the table is there.
  AddTable(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, kLastOfBatch);
  batch.Mark(NFNL_MSG_BATCH_END);
  return batch.Take();
}

std::string OpenBatch() {
  Batch batch;
  batch.Mark(NFNL_MSG_BATCH_BEGIN);
  AddNoTable(batch, NLM_F_ACK, kLastOfBatch);
  batch.Mark(NFNL_MSG_BATCH_END);
  return batch.Take();
}

std::string GenerationRequest() {
  Batch batch;
  batch.Message(NFT_MSG_GETGEN, 0, kLastOfBatch);
  return batch.Take();
}

}  // namespace holdfast::agent
