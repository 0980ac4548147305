// Rules of a table of ip_tables, from the bytes that the kernel gives (linux/netfilter_ipv4/ip_tables.h).
//
// Threading: pure functions.
// Errors:    what does not fit is left out; no input aborts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::agent {

struct IptablesRule {
  std::string chain;
  std::optional<std::string> policy;  // of a chain that has one: what happens behind its last rule
  bool is_rule = true;  // false: a chain without rules; what follows but the counters is empty
  std::string target;   // ACCEPT, DROP, a chain, ...; empty: it only counts
  int protocol = 0;
  // "!" before what is turned round.
  std::string source, source_mask, destination, destination_mask;
  std::string in, in_mask, out, out_mask;       // "all": any interface; masks are hex
  std::string source_ports, destination_ports;  // "22" or "1024:65535"; empty where none are said
  std::string matches;                          // names of what else must hold, separated by ", "
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// `dump`: struct ipt_getinfo and the entries behind it.
std::vector<IptablesRule> ParseIptables(std::string_view dump);

}  // namespace holdfast::agent
