// iptables and ebpf_programs: what the kernel is asked for, from bytes of a test.
#include <gtest/gtest.h>

#include "agent/tables/iptables_rules.h"
#include "tests/support/iptables_builder.h"
#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::IptablesBuilder;
using holdfast::testing::TempDir;

constexpr std::int32_t kDrop = -1, kAccept = -2, kReturn = -5;
constexpr int kInput = 1, kForward = 2;

// -P INPUT DROP, three rules, -P FORWARD ACCEPT, and a chain "blocked".
std::string Filter() {
  IptablesBuilder filter;
  filter.BeginHook(kInput);
  const std::uint32_t first = filter.Size();
  const std::uint32_t to_next = first + 112 + 48 + 40;
  filter.Add({.source = 0x0000000a,
              .source_mask = 0x000000ff,
              .in = "eth0",
              .protocol = 6,
              .match = "tcp",
              .packets = 7,
              .bytes = 700},
             "", kAccept);
  filter.Add({.source = 0x0100007f, .source_mask = 0xffffffff, .turned = 0x08}, "LOG", 0);
  const std::uint32_t counts_only = filter.Size();
  filter.Add({.packets = 1, .bytes = 2}, "", static_cast<std::int32_t>(counts_only + 152));
  const std::uint32_t jump = filter.Size();
  filter.Add({}, "", static_cast<std::int32_t>(jump + 2 * 152 + 152 + 176));
  filter.Policy(kInput, kDrop, 3);
  filter.BeginHook(kForward);
  filter.Policy(kForward, kAccept, 5);
  filter.Chain("blocked");
  filter.Add({}, "", kDrop);
  filter.Add({}, "", kReturn);
  filter.Chain("ERROR");
  EXPECT_EQ(to_next, first + 200);
  return filter.Dump();
}

class IptablesTableTest : public ::testing::Test {
 protected:
  Rows Ask(const std::string& sql) {
    QueryEngine engine(machine_, AllTables(), {});
    TextSink sink;
    const QueryEnd end = engine.Run(sql, sink);
    note_ = end.note;
    return sink.rows;
  }
  void Tables(std::string_view names) {
    std::filesystem::create_directories(dir_ / "proc/net");
    dir_.Write("proc/net/ip_tables_names", names);
  }
  TempDir dir_;
  ProcfsMachine tree_{dir_.path()};
  RecordingMachine machine_{tree_};
  std::string note_;
};

TEST_F(IptablesTableTest, TellsRulesChainsPoliciesAndCounters) {
  Tables("filter\n");
  machine_.filters["filter"] = Filter();
  EXPECT_EQ(
      Ask("SELECT * FROM iptables"),
      (Rows{
          "filter|INPUT|DROP|ACCEPT|6|1024:65535|22|10.0.0.0|255.0.0.0|eth0|ffffffffff|0.0.0.0|"
          "0.0.0.0|all||tcp|7|700",
          "filter|INPUT|DROP|LOG|0|||!127.0.0.1|255.255.255.255|all||0.0.0.0|0.0.0.0|all|||0|0",
          "filter|INPUT|DROP||0|||0.0.0.0|0.0.0.0|all||0.0.0.0|0.0.0.0|all|||1|2",
          "filter|INPUT|DROP|blocked|0|||0.0.0.0|0.0.0.0|all||0.0.0.0|0.0.0.0|all|||0|0",
          "filter|FORWARD|ACCEPT|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|"
          "5|500",
          "filter|blocked||DROP|0|||0.0.0.0|0.0.0.0|all||0.0.0.0|0.0.0.0|all|||0|0"}));
  EXPECT_EQ(note_, "");
}

TEST_F(IptablesTableTest, SaysWhyThereIsNothing) {
  EXPECT_EQ(Ask("SELECT * FROM iptables"), Rows{});
  EXPECT_EQ(note_,
            "iptables: the old packet filter has no tables here; rules of nf_tables (nft, "
            "iptables-nft) are not in this table");
  Tables("nat\n");
  EXPECT_EQ(Ask("SELECT * FROM iptables"), Rows{});
  EXPECT_EQ(note_, "iptables: table nat cannot be read: a tree of files has no packet filter");
}

TEST_F(IptablesTableTest, TakesNothingApartThatIsCutOrDamaged) {
  const std::string whole = Filter();
  for (std::size_t size = 0; size < whole.size(); size += 3) {
    EXPECT_LE(ParseIptables(std::string_view(whole).substr(0, size)).size(), 7U);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0xff);
    EXPECT_LE(ParseIptables(bytes).size(), 10U) << at;
  }
}

TEST(EbpfProgramsTableTest, TellsOfEachProgramAndWhyThereIsNone) {
  QueryHarness harness;
  BpfProgram program;
  program.id = 12;
  program.type = 2;
  program.name = "hook\x1b[2J";
  program.tag = "0011223344556677";
  program.uid = 1000;
  program.loaded_ns = 5'500'000'000;
  program.translated_bytes = 96;
  program.machine_code_bytes = 60;
  program.maps = 1;
  program.gpl = true;
  BpfProgram newer;
  newer.id = 13;
  newer.type = 99;
  harness.machine.programs = std::vector<BpfProgram>{program, newer};
  EXPECT_EQ(harness.Ask("SELECT * FROM ebpf_programs WHERE id = 12"),
            Rows{"12|kprobe|hook\x1b[2J|0011223344556677|1000|1700000005|96|60|1|1"});
  EXPECT_EQ(harness.Ask("SELECT type, name FROM ebpf_programs WHERE id = 13"), Rows{"99|"});
  harness.machine.programs = Error{Code::kDenied, "may not"};
  EXPECT_EQ(harness.Ask("SELECT * FROM ebpf_programs"), Rows{});
  EXPECT_EQ(harness.end.note,
            "ebpf_programs: the kernel does not list its programs: may not; it takes root "
            "(CAP_SYS_ADMIN) and bpf(2)");
}

}  // namespace
}  // namespace holdfast::agent
