// arp_cache, dns_resolvers, etc_hosts.
#include <algorithm>

#include "agent/tables/netlink_messages.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxHostsBytes = std::size_t{16} << 20;  // block lists are long

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kArpColumns[] = {
    {"address", kT, "IPv4 address"},
    {"mac", kT, "Hardware address; zeros: nobody answered"},
    {"interface", kT, "Name of the interface"},
    {"permanent", kT, "1: set by hand"},
};

// "192.0.2.1  0x1  0x2  02:fc:00:00:00:05  *  eth0"
void FillArp(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/proc/net/arp", kMaxHostsBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const std::string_view address = NextWord(line);
    NextWord(line);  // kind of hardware
    const std::string_view flags = NextWord(line);
    const std::string_view mac = NextWord(line);
    NextWord(line);  // mask
    const auto bits = flags.starts_with("0x") ? ParseUint(flags.substr(2), 16) : std::nullopt;
    if (!bits) continue;                     // the heading
    constexpr std::uint64_t kPermanent = 4;  // ATF_PERM
    rows.Begin().Text(address).Text(mac).Text(NextWord(line));
    rows.Text((*bits & kPermanent) != 0 ? "1" : "0");
  }
}

constexpr Column kDnsColumns[] = {
    {"id", kI, "Position among those of its type, from 0"},
    {"type", kT, "nameserver, search or sortlist"},
    {"address", kT, "Address, or domain to search"},
    {"netmask", kT, "Bits that count; NULL for a domain"},
    {"options", kB, "RES_* bits that a program of the C library begins with"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

// resolv.conf(5), as bits of <resolv.h>: RES_RECURSE | RES_DEFNAMES | RES_DNSRCH, and what is said.
std::int64_t ResolverOptions(std::string_view text) {
  struct Option {
    std::string_view word;
    std::int64_t bits;
  };
  constexpr Option kOptions[] = {
      {"debug", 0x2},         {"rotate", 0x4000},           {"no-check-names", 0x8000},
      {"edns0", 0x100000},    {"single-request", 0x200000}, {"single-request-reopen", 0x400000},
      {"use-vc", 0x8},        {"no-tld-query", 0x1000000},  {"trust-ad", 0x4000000},
      {"no-aaaa", 0x8000000},
  };
  std::int64_t bits = 0x40 | 0x80 | 0x200;
  std::string_view line;
  while (NextLine(text, line)) {
    if (NextWord(line) != "options") continue;
    while (!line.empty()) {
      const std::string_view word = NextWord(line);
      for (const Option& option : kOptions) bits |= word == option.word ? option.bits : 0;
    }
  }
  return bits;
}

// "130.155.160.0/255.255.240.0"
std::string NetmaskBits(std::string_view mask) {
  for (int prefix = 0; prefix <= 32; ++prefix) {
    if (MaskText(false, prefix) == mask) return std::to_string(prefix);
  }
  return std::string(mask.empty() ? "32" : mask);
}

void FillDns(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/etc/resolv.conf");
  const std::int64_t options = ResolverOptions(text);
  std::vector<std::string_view> servers;
  std::vector<std::string_view> sorted;
  std::vector<std::string_view> domains;
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const std::string_view key = NextWord(line);
    if (key == "nameserver") servers.push_back(Trim(NextWord(line)));
    auto* list = key == "sortlist"                    ? &sorted
                 : key == "search" || key == "domain" ? &domains
                                                      : nullptr;
    if (list == nullptr) continue;
    list->clear();  // the last one counts
    while (!Trim(line).empty()) list->push_back(Trim(NextWord(line)));
  }
  const auto give = [&](std::string_view type, std::size_t id, std::string_view address,
                        std::string_view mask) {
    rows.Begin().Int(id).Text(type).Text(address).TextOrNull(mask).Int(options).Int(0);
  };
  for (std::size_t i = 0; i < servers.size(); ++i) {
    give("nameserver", i, servers[i], servers[i].find(':') == servers[i].npos ? "32" : "128");
  }
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    std::string_view mask = sorted[i];
    const std::string_view address = NextField(mask, '/');
    give("sortlist", i, address, NetmaskBits(mask));
  }
  for (std::size_t i = 0; i < domains.size(); ++i) give("search", i, domains[i], "");
}

constexpr Column kHostColumns[] = {
    {"address", kT, "Address"},
    {"hostnames", kT, "Names for it, separated by spaces"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

void FillHosts(const Request&, Machine& machine, TableRows& rows) {
  const std::string text = ReadOr(machine, "/etc/hosts", kMaxHostsBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    std::string_view words = line.substr(0, line.find('#'));
    const std::string_view address = NextWord(words);
    std::string names;
    while (!Trim(words).empty())
      names.append(names.empty() ? "" : " ").append(Trim(NextWord(words)));
    if (!names.empty()) rows.Begin().Text(address).Text(names).Int(0);
  }
}

}  // namespace

const Table kArpCacheTable = {
    .name = "arp_cache",
    .description = "IPv4 neighbours that the kernel knows.",
    .example = "SELECT address, mac, interface FROM arp_cache WHERE permanent = '1';",
    .cost = Cost::kFixed,
    .columns = kArpColumns,
    .open = OpenFilled<kArpColumns, FillArp>,
};

const Table kDnsResolversTable = {
    .name = "dns_resolvers",
    .description = "Name servers and search domains of /etc/resolv.conf.",
    .example = "SELECT address FROM dns_resolvers WHERE type = 'nameserver';",
    .cost = Cost::kFixed,
    .columns = kDnsColumns,
    .open = OpenFilled<kDnsColumns, FillDns>,
};

const Table kEtcHostsTable = {
    .name = "etc_hosts",
    .description = "Names that /etc/hosts gives to addresses.",
    .example = "SELECT address, hostnames FROM etc_hosts WHERE address NOT LIKE '127.%';",
    .cost = Cost::kAccounts,
    .columns = kHostColumns,
    .open = OpenFilled<kHostColumns, FillHosts>,
};

}  // namespace holdfast::agent
