#include "agent/tables/iptables_rules.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "common/base/bytes.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kInfoBytes = 84;    // struct ipt_getinfo
constexpr std::size_t kEntryBytes = 112;  // struct ipt_entry, without its matches and target
constexpr std::size_t kHeadBytes = 32;    // struct xt_entry_match, struct xt_entry_target
constexpr std::size_t kNameBytes = 29;
constexpr std::array<std::string_view, 5> kHooks = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT",
                                                    "POSTROUTING"};

// A number as this machine's kernel has it; 0 beyond the end.
template <typename Number>
Number At(std::string_view bytes, std::size_t offset) {
  Number number = 0;
  if (offset <= bytes.size() && bytes.size() - offset >= sizeof number) {
    std::memcpy(&number, bytes.data() + offset, sizeof number);
  }
  return number;
}

std::string_view TextAt(std::string_view bytes, std::size_t offset, std::size_t most) {
  if (offset > bytes.size()) return {};
  const std::string_view text = bytes.substr(offset, most);
  return text.substr(0, text.find('\0'));
}

std::string Address(std::string_view entry, std::size_t offset) {
  std::string text;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0) text += ".";
    text += std::to_string(At<std::uint8_t>(entry, offset + i));
  }
  return text;
}

std::string Ports(std::string_view match, std::size_t offset) {
  const auto first = At<std::uint16_t>(match, offset);
  const auto last = At<std::uint16_t>(match, offset + 2);
  if (first == last) return std::to_string(first);
  return std::to_string(first) + ":" + std::to_string(last);
}

class Dump {
 public:
  explicit Dump(std::string_view dump)
      : info_(dump.substr(0, kInfoBytes)),
        entries_(dump.substr(std::min(dump.size(), kInfoBytes))) {}

  std::vector<IptablesRule> Rules() {
    NameChains();
    std::string chain;
    bool empty = false;
    for (std::size_t at = 0; Entry(at); at += next_) {
      if (const auto begins = chains_.find(at); begins != chains_.end()) {
        chain = begins->second;
        empty = true;
      }
      if (TargetName() == "ERROR") continue;  // names a chain, or ends the table
      const bool last = IsLast(at);
      // A chain ends in a rule of its own that iptables does not show but as the policy.
      if (last && !empty) continue;
      IptablesRule rule = last ? IptablesRule() : Rule();
      rule.is_rule = !last;
      rule.chain = chain;
      rule.policy = PolicyOf(chain);
      rule.packets = At<std::uint64_t>(entry_, 96);
      rule.bytes = At<std::uint64_t>(entry_, 104);
      rules_.push_back(std::move(rule));
      empty = false;
    }
    return std::move(rules_);
  }

 private:
  // False at the end, and at what is no entry.
  bool Entry(std::size_t at) {
    if (at > entries_.size() || entries_.size() - at < kEntryBytes + kHeadBytes) return false;
    target_ = At<std::uint16_t>(entries_, at + 88);
    next_ = At<std::uint16_t>(entries_, at + 90);
    if (next_ < kEntryBytes + kHeadBytes || next_ > entries_.size() - at) return false;
    if (target_ < kEntryBytes || target_ > next_ - kHeadBytes) return false;
    entry_ = entries_.substr(at, next_);
    return true;
  }

  std::string_view TargetName() const { return TextAt(entry_, target_ + 2, kNameBytes); }

  bool HasHook(std::size_t hook) const { return (At<std::uint32_t>(info_, 32) >> hook & 1) != 0; }

  void NameChains() {
    for (std::size_t hook = 0; hook < kHooks.size(); ++hook) {
      if (HasHook(hook)) chains_[At<std::uint32_t>(info_, 36 + 4 * hook)] = kHooks[hook];
    }
    for (std::size_t at = 0; Entry(at); at += next_) {
      if (TargetName() == "ERROR") {
        chains_[at + next_] = TextAt(entry_, target_ + kHeadBytes, entry_.size());
      }
    }
  }

  std::optional<std::string> PolicyOf(const std::string& chain) const {
    for (std::size_t hook = 0; hook < kHooks.size(); ++hook) {
      if (!HasHook(hook) || kHooks[hook] != chain) continue;
      const std::size_t at = At<std::uint32_t>(info_, 56 + 4 * hook);
      const std::size_t target = at + At<std::uint16_t>(entries_, at + 88);
      return Verdict(At<std::int32_t>(entries_, target + kHeadBytes));
    }
    return std::nullopt;
  }

  bool IsLast(std::size_t at) const {
    for (std::size_t hook = 0; hook < kHooks.size(); ++hook) {
      if (HasHook(hook) && At<std::uint32_t>(info_, 56 + 4 * hook) == at) return true;
    }
    // Of a chain of the user: RETURN, and behind it another chain or the end.
    if (!TargetName().empty()) return false;
    const std::size_t behind = at + next_;
    const std::size_t target = behind + At<std::uint16_t>(entries_, behind + 88);
    return At<std::int32_t>(entry_, target_ + kHeadBytes) == kReturn &&
           TextAt(entries_, target + 2, kNameBytes) == "ERROR";
  }

  static constexpr std::int32_t kReturn = -5;  // XT_RETURN
  std::string Verdict(std::int32_t verdict) const {
    switch (verdict) {  // -NF_DROP - 1 and so on
      case -1: return "DROP";
      case -2: return "ACCEPT";
      case -4: return "QUEUE";
      case kReturn: return "RETURN";
      default: break;
    }
    const auto chain = chains_.find(static_cast<std::size_t>(std::max(verdict, 0)));
    return verdict < 0 || chain == chains_.end() ? std::to_string(verdict) : chain->second;
  }

  IptablesRule Rule() const {
    IptablesRule rule;
    const auto turned = At<std::uint8_t>(entry_, 83);  // IPT_INV_*
    const auto sign = [turned](std::uint8_t bit) { return (turned & bit) != 0 ? "!" : ""; };
    rule.source = sign(0x08) + Address(entry_, 0);
    rule.destination = sign(0x10) + Address(entry_, 4);
    rule.source_mask = Address(entry_, 8);
    rule.destination_mask = Address(entry_, 12);
    rule.in = Interface(16, sign(0x01));
    rule.out = Interface(32, sign(0x02));
    rule.in_mask = ToHex(TextAt(entry_, 48, 16));
    rule.out_mask = ToHex(TextAt(entry_, 64, 16));
    rule.protocol = At<std::uint16_t>(entry_, 80);
    rule.target = TargetName();
    if (rule.target.empty()) {
      const auto verdict = At<std::int32_t>(entry_, target_ + kHeadBytes);
      // To the next rule: there is no target.
      const auto own = static_cast<std::size_t>(entry_.data() - entries_.data());
      if (verdict < 0 || static_cast<std::size_t>(verdict) != own + next_) {
        rule.target = Verdict(verdict);
      }
    }
    ReadMatches(rule);
    return rule;
  }

  std::string Interface(std::size_t offset, std::string_view sign) const {
    const std::string_view name = TextAt(entry_, offset, 16);
    std::string text(name.empty() ? "all" : sign);
    text += name;
    // iptables writes what only has to begin so with a '+', which is not in the name.
    const std::string_view mask = TextAt(entry_, offset + 32, 16);
    if (!name.empty() && mask.size() <= name.size()) text += "+";
    return text;
  }

  void ReadMatches(IptablesRule& rule) const {
    for (std::size_t at = kEntryBytes; at + kHeadBytes <= target_;) {
      const std::size_t size = At<std::uint16_t>(entry_, at);
      if (size < kHeadBytes || size > target_ - at) return;
      const std::string_view name = TextAt(entry_, at + 2, kNameBytes);
      rule.matches.append(rule.matches.empty() ? "" : ", ").append(name);
      if (name == "tcp" || name == "udp") {  // struct xt_tcp and xt_udp begin alike
        const std::string_view data = entry_.substr(at + kHeadBytes, size - kHeadBytes);
        const auto turned = At<std::uint8_t>(data, name == "tcp" ? 11 : 8);
        rule.source_ports = ((turned & 1) != 0 ? "!" : "") + Ports(data, 0);
        rule.destination_ports = ((turned & 2) != 0 ? "!" : "") + Ports(data, 4);
      }
      at += size;
    }
  }

  std::string_view info_;
  std::string_view entries_;
  std::string_view entry_;                     // that is looked at, with
  std::size_t target_ = 0;                     // where in it its target begins, and
  std::size_t next_ = 0;                       // its size
  std::map<std::size_t, std::string> chains_;  // by the offset of their first rule
  std::vector<IptablesRule> rules_;
};

}  // namespace

std::vector<IptablesRule> ParseIptables(std::string_view dump) { return Dump(dump).Rules(); }

}  // namespace holdfast::agent
