// The journal table over files that systemd made, against what journalctl says of them.
#include <algorithm>
#include <fstream>

#include <gtest/gtest.h>

#include "agent/tables/journal_file.h"
#include "agent/tables/text.h"
#include "tests/support/journal_pieces.h"
#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::JournalBytes;
using holdfast::testing::PutFile;
using holdfast::testing::TempDir;

constexpr std::string_view kFolder = "/var/log/journal/0123456789abcdef0123456789abcdef/";

class JournalMachine {
 public:
  explicit JournalMachine(std::string_view fixture) {
    Put("system.journal", JournalBytes(fixture));
  }
  void Put(std::string_view name, std::string_view bytes) {
    PutFile(dir_.path() + std::string(kFolder) + std::string(name), bytes);
  }
  Rows Ask(const std::string& sql) {
    QueryEngine engine(machine, AllTables(), {});
    TextSink sink;
    const QueryEnd end = engine.Run(sql, sink);
    note = end.note;
    return end.stop == QueryStop::kDone ? sink.rows : Rows{"failed: " + end.message};
  }

 private:
  TempDir dir_;
  ProcfsMachine tree_{dir_.path()};

 public:
  RecordingMachine machine{tree_};
  std::string note;
};

constexpr std::string_view kAll =
    "SELECT time * 1000000 + microseconds, pid, priority, unit, hex(message) FROM journal";

// Lines of journalctl for which `keep` is true of time (us), pid, priority and unit.
template <typename Keep>
Rows Expected(Keep keep) {
  std::ifstream file(HOLDFAST_FIXTURES "/journal_fixture/expected.txt");
  Rows rows;
  for (std::string line; std::getline(file, line);) {
    std::string_view rest = line;
    const auto time = ParseInt(NextField(rest, '|')).value_or(0);
    const auto pid = ParseInt(NextField(rest, '|')).value_or(0);
    const auto priority = ParseInt(NextField(rest, '|')).value_or(0);
    if (keep(time, pid, priority, NextField(rest, '|'))) rows.push_back(line);
  }
  return Sorted(rows);
}

class JournalTableTest : public ::testing::TestWithParam<const char*> {
 protected:
  JournalMachine machine_{GetParam()};
  Rows Where(const std::string& condition) {
    return Sorted(machine_.Ask(std::string(kAll) + " WHERE " + condition));
  }
};

INSTANTIATE_TEST_SUITE_P(Forms, JournalTableTest, ::testing::Values("compact", "plain"));

TEST_P(JournalTableTest, GivesEveryEntryAsJournalctlDoes) {
  const Rows all = Expected([](auto, auto, auto, auto) { return true; });
  ASSERT_EQ(all.size(), 120U);
  EXPECT_EQ(Sorted(machine_.Ask(std::string(kAll))), all);
  EXPECT_EQ(machine_.Ask("SELECT count(*) FROM journal WHERE left_out IS NOT NULL"), Rows{"0"});
}

TEST_P(JournalTableTest, FindsByUnitPriorityProcessAndTimeAsJournalctlDoes) {
  EXPECT_EQ(Where("unit = 'cron.service'"),
            Expected([](auto, auto, auto, auto unit) { return unit == "cron.service"; }));
  EXPECT_EQ(Where("priority <= 3"),
            Expected([](auto, auto, auto priority, auto) { return priority <= 3; }));
  EXPECT_EQ(Where("pid = 102 AND priority BETWEEN 3 AND 5"),
            Expected([](auto, auto pid, auto priority, auto) {
              return pid == 102 && priority >= 3 && priority <= 5;
            }));
  EXPECT_EQ(Where("time >= 1700000030 AND time < 1700000100"), Expected([](auto time, auto...) {
              return time >= 1'700'000'030'000'000 && time < 1'700'000'100'000'000;
            }));
  EXPECT_EQ(Where("time > 1700000030.4 AND unit = 'init.scope'"),
            Expected([](auto time, auto, auto, auto unit) {
              return time >= 1'700'000'031'000'000 && unit == "init.scope";
            }));
  EXPECT_EQ(Where("pid = 4711"), Rows{});
  EXPECT_EQ(Where("time > 1800000000"), Rows{});
  EXPECT_EQ(Where("time < 0"), Rows{});
}

TEST_P(JournalTableTest, FindsByBootAndByTheUnitThatAMessageIsAbout) {
  EXPECT_EQ(machine_.Ask("SELECT boot_id, count(*) FROM journal GROUP BY 1 ORDER BY 1"),
            (Rows{"4f2a8c1de0b94c7d9a6b3c5d7e8f9a0b|80", "5a3b9d2ef1ca5d8eab7c4d6e8f9a0b1c|40"}));
  EXPECT_EQ(machine_.Ask("SELECT count(*), min(seqnum) FROM journal WHERE boot_id = "
                         "'5a3b9d2ef1ca5d8eab7c4d6e8f9a0b1c'"),
            Rows{"40|81"});
  EXPECT_EQ(machine_.Ask("SELECT DISTINCT unit, about_unit FROM journal WHERE about_unit = "
                         "'ssh.service'"),
            Rows{"init.scope|ssh.service"});
}

TEST_P(JournalTableTest, ReadsLittleOfTheFileForOneValueOfAnIndexedField) {
  const auto reads = [&](const std::string& sql) {
    machine_.machine.piece_bytes = 0;
    (void)machine_.Ask(sql);
    return machine_.machine.piece_bytes;
  };
  EXPECT_LT(reads("SELECT message FROM journal WHERE time > 1800000000"), 100'000U)
      << "the header says that there is nothing";
  EXPECT_LE(reads("SELECT message FROM journal WHERE pid = 4711"),
            reads("SELECT message FROM journal"));
}

TEST_P(JournalTableTest, GivesWhatIsThereOfAFileThatWasCut) {
  const std::string whole = JournalBytes(GetParam());
  std::size_t before = 0;
  for (int tenth = 1; tenth <= 10; ++tenth) {
    machine_.Put("system.journal", std::string_view(whole).substr(0, whole.size() * tenth / 10));
    const Rows rows = machine_.Ask(std::string(kAll));
    EXPECT_GE(rows.size(), before);
    before = rows.size();
  }
  EXPECT_EQ(before, 120U);
}

TEST_P(JournalTableTest, SeesWhatIsWrittenWhileItReads) {
  // As journald does it: the file says ONLINE, and its header is older than its entries.
  std::string bytes = JournalBytes(GetParam());
  bytes[16] = 1;
  for (int i = 0; i < 8; ++i) bytes[192 + i] = 0;  // tail_entry_realtime
  machine_.Put("system.journal", bytes);
  EXPECT_EQ(Where("time >= 1700000170"),
            Expected([](auto time, auto...) { return time >= 1'700'000'170'000'000; }));
}

TEST(JournalTableOfFilesTest, ReadsWhatWasSetAsideAndSaysWhatIsNone) {
  JournalMachine machine("compact");
  machine.Put("user-1000@0001.journal~", JournalBytes("plain"));
  machine.Put("torn.journal", "LPKSHHRH");
  machine.Put("newer.journal", "LPKSHHRH" + std::string(4, '\0') + std::string(300, '\x20'));
  machine.Put("other.txt", JournalBytes("plain"));
  EXPECT_EQ(machine.Ask("SELECT replace(path, rtrim(path, replace(path, '/', '')), ''), count(*) "
                        "FROM journal GROUP BY 1 ORDER BY 1"),
            (Rows{"system.journal|120", "user-1000@0001.journal~|120"}));
  EXPECT_EQ(machine.note,
            std::string(kFolder) + "newer.journal: a newer form of systemd's journal; " +
                std::string(kFolder) + "torn.journal: not a file of systemd's journal");
  EXPECT_EQ(machine.Ask("SELECT count(*) FROM journal WHERE path = '" + std::string(kFolder) +
                        "other.txt'"),
            Rows{"120"});
}

TEST(JournalTableOfFilesTest, DamagedFilesGiveRowsOrNoneAndEnd) {
  const std::string whole = JournalBytes("compact");
  // Every byte of the header in turn, and offsets of objects that name themselves.
  for (std::size_t at = 0; at < 264; at += 3) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    JournalMachine machine("plain");
    machine.Put("system.journal", bytes);
    const Rows rows = machine.Ask("SELECT message FROM journal WHERE priority < 5 LIMIT 200");
    EXPECT_LE(rows.size(), 200U) << at;
  }
}

TEST(JournalFieldTest, IsTakenOutOfEachFormButXz) {
  constexpr std::uint8_t kXz = 1, kLz4 = 2;
  EXPECT_EQ(DecompressField(0, "A=b", 100), "A=b");
  const std::string block(
      "\x08\0\0\0\0\0\0\0\x35"
      "A=x\x01\x00",
      14);
  // Three letters, then nine more from one byte back; a block of LZ4 ends in letters.
  EXPECT_EQ(DecompressField(kLz4, block + std::string("\x10!", 2), 100), "A=xxxxxxxxxx!");
  EXPECT_EQ(DecompressField(kLz4, block + std::string("\x10!", 2), 12), std::nullopt);
  EXPECT_EQ(DecompressField(kLz4, block, 100), std::nullopt);
  EXPECT_EQ(DecompressField(kXz,
                            "\xfd"
                            "7zXZ",
                            100),
            std::nullopt);
}

}  // namespace
}  // namespace holdfast::agent
