// A table of ip_tables as the kernel gives it, made in a test.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

namespace holdfast::testing {

class IptablesBuilder {
 public:
  struct Rule {
    std::uint32_t source = 0,
                  source_mask = 0;  // network order as bytes: 0x0100000a is 10.0.0.1 here
    std::string in = {};
    std::uint16_t protocol = 0;
    std::uint8_t turned = 0;
    std::string match = {};  // "tcp" with ports 1024:65535 -> 22
    std::uint64_t packets = 0, bytes = 0;
  };
  // A target of its own (LOG), or "" with a verdict.
  void Add(const Rule& rule, std::string_view target, std::int32_t verdict) {
    std::string entry(112, '\0');
    Put(entry, 0, rule.source);
    Put(entry, 8, rule.source_mask);
    rule.in.copy(entry.data() + 16, 15);
    std::memset(entry.data() + 48, 0xff, rule.in.empty() ? 0 : rule.in.size() + 1);
    Put(entry, 80, rule.protocol);
    Put(entry, 83, rule.turned);
    Put(entry, 96, rule.packets);
    Put(entry, 104, rule.bytes);
    if (!rule.match.empty()) {
      std::string match = Head(rule.match, 48);
      match.resize(48, '\0');
      Put<std::uint16_t>(match, 32, 1024);
      Put<std::uint16_t>(match, 34, 65535);
      Put<std::uint16_t>(match, 36, 22);
      Put<std::uint16_t>(match, 38, 22);
      entry += match;
    }
    Put(entry, 88, static_cast<std::uint16_t>(entry.size()));
    std::string end = Head(target, 40);
    end.resize(40, '\0');
    Put(end, 32, verdict);
    entry += end;
    Put(entry, 90, static_cast<std::uint16_t>(entry.size()));
    entries_ += entry;
  }
  void Chain(std::string_view name) {
    std::string entry(112, '\0');
    Put<std::uint16_t>(entry, 88, 112);
    std::string end = Head("ERROR", 64);
    end.resize(64, '\0');
    name.copy(end.data() + 32, 29);
    entry += end;
    Put(entry, 90, static_cast<std::uint16_t>(entry.size()));
    entries_ += entry;
  }
  void BeginHook(int hook) { begins_[hook] = Size(); }
  void Policy(int hook, std::int32_t verdict, std::uint64_t packets) {
    ends_[hook] = Size();
    Add({.packets = packets, .bytes = packets * 100}, "", verdict);
  }
  std::uint32_t Size() const { return static_cast<std::uint32_t>(entries_.size()); }

  std::string Dump() const {
    std::string info(84, '\0');
    std::uint32_t hooks = 0;
    for (const auto& [hook, at] : begins_) {
      hooks |= 1U << hook;
      Put(info, 36 + 4 * static_cast<std::size_t>(hook), at);
      Put(info, 56 + 4 * static_cast<std::size_t>(hook), ends_.at(hook));
    }
    Put(info, 32, hooks);
    Put(info, 80, Size());
    return info + entries_;
  }

 private:
  template <typename Number>
  static void Put(std::string& bytes, std::size_t at, Number number) {
    std::memcpy(bytes.data() + at, &number, sizeof number);
  }
  static std::string Head(std::string_view name, std::uint16_t size) {
    std::string head(32, '\0');
    Put(head, 0, size);
    name.copy(head.data() + 2, 28);
    return head;
  }
  std::string entries_;
  std::map<int, std::uint32_t> begins_, ends_;
};

}  // namespace holdfast::testing
