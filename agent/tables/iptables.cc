// iptables: the rules of the old packet filter.
#include "agent/tables/iptables_rules.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;

constexpr Column kColumns[] = {
    {"filter_name", kT, "Table: filter, nat, mangle, raw, security"},
    {"chain", kT, "Chain that the rule is in"},
    {"policy", kT, "What happens behind its last rule; empty where chains of one's own return"},
    {"target", kT, "ACCEPT, DROP, a chain, ...; empty: the rule only counts"},
    {"protocol", kI, "Number of the protocol; 0: any"},
    {"src_port", kT, "Source ports of tcp and udp; in this table ! before a value turns it round"},
    {"dst_port", kT, "Destination ports"},
    {"src_ip", kT, "Source"},
    {"src_mask", kT, "Mask of it"},
    {"iniface", kT, "Interface that it came by; all: any"},
    {"iniface_mask", kT, "Bytes of its name that count, hex"},
    {"dst_ip", kT, "Destination"},
    {"dst_mask", kT, "Mask of it"},
    {"outiface", kT, "Interface that it leaves by; all: any"},
    {"outiface_mask", kT, "Bytes of its name that count, hex"},
    {"match", kT, "What else must hold, by the names of the extensions"},
    {"packets", kI, "Packets that the rule met; without rules those that the policy did"},
    {"bytes", kI, "Bytes of them"},
};

void AddRule(const std::string& table, const IptablesRule& rule, TableRows& rows) {
  rows.Begin().Text(table).Text(rule.chain).Text(rule.policy.value_or(""));
  if (!rule.is_rule) {
    for (std::size_t i = 3; i < 16; ++i) rows.Skip();
  } else {
    rows.Text(rule.target).Int(rule.protocol).Text(rule.source_ports).Text(rule.destination_ports);
    rows.Text(rule.source).Text(rule.source_mask).Text(rule.in).Text(rule.in_mask);
    rows.Text(rule.destination).Text(rule.destination_mask).Text(rule.out).Text(rule.out_mask);
    rows.Text(rule.matches);
  }
  rows.Int(rule.packets).Int(rule.bytes);
}

void FillRules(const Request&, Machine& machine, TableRows& rows) {
  // Only what is there: asking for another table would load it into the kernel.
  const auto names = machine.ReadFile("/proc/net/ip_tables_names", 4096);
  if (!names.ok() || Trim(names.value()).empty()) {
    machine.Note(!names.ok() && names.error().code == Code::kDenied
                     ? "iptables: reading the rules takes root"
                     : "iptables: the old packet filter has no tables here; rules of nf_tables "
                       "(nft, iptables-nft) are not in this table");
    return;
  }
  std::string_view rest = names.value();
  std::string_view line;
  while (NextLine(rest, line)) {
    const std::string table(line);
    const auto dump = machine.DumpIptables(table);
    if (!dump.ok()) {
      machine.Note("iptables: table " + table + " cannot be read: " + dump.error().message);
      continue;
    }
    for (const IptablesRule& rule : ParseIptables(dump.value())) AddRule(table, rule, rows);
  }
}

}  // namespace

const Table kIptablesTable = {
    .name = "iptables",
    .description = "Rules of the old packet filter (ip_tables); no rows without root.",
    .example =
        "SELECT chain, target, src_ip, dst_port, packets FROM iptables WHERE target = 'ACCEPT';",
    .cost = Cost::kFixed,
    .columns = kColumns,
    .open = OpenFilled<kColumns, FillRules>,
};

}  // namespace holdfast::agent
