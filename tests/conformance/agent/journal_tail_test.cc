// The last lines of systemd's journal and what is added, over files that systemd made.
#include "agent/verbs/journal_tail.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "agent/adapters/procfs/procfs_machine.h"
#include "tests/support/journal_pieces.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::JournalBytes;
using holdfast::testing::PutFile;
using holdfast::testing::TempDir;

constexpr std::size_t kEntries = 120;

// The file as it was when it had so many entries: what its lists of entries have beyond is not yet written.
// Offsets are those of JOURNAL_FILE_FORMAT.
std::string AsItWas(std::string bytes, std::size_t entries) {
  constexpr std::size_t kFormAt = 12;
  constexpr std::size_t kCountAt = 152;
  constexpr std::size_t kArrayAt = 176;
  const auto number = [&bytes](std::size_t at) {
    return static_cast<std::size_t>(LittleEndian(std::string_view(bytes).substr(at, 8)));
  };
  const std::size_t item = (bytes[kFormAt] & 16) != 0 ? 4 : 8;
  std::size_t seen = 0;
  for (std::size_t array = number(kArrayAt); array != 0; array = number(array + 16)) {
    for (std::size_t at = array + 24; at + item <= array + number(array + 8); at += item) {
      if (seen++ >= entries) bytes.replace(at, item, item, '\0');
    }
  }
  bytes[kCountAt] = static_cast<char>(entries);
  return bytes;
}

class JournalTailTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string Path(const std::string& name) const {
    return dir_.path() + "/var/log/journal/0123456789abcdef0123456789abcdef/" + name;
  }
  void Put(const std::string& name, std::size_t entries = kEntries) {
    // Over the same file, as journald writes: its inode stays.
    PutFile(Path(name), AsItWas(JournalBytes(GetParam()), entries));
  }
  // Lines that begin an entry; others go on with a message.
  static std::size_t Entries(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      count += text[at] != ' ' ? 1 : 0;
    }
    return count;
  }

  TempDir dir_;
  ProcfsMachine machine_{dir_.path()};
  static constexpr std::uint64_t kNow = 0;  // before all entries: what is added is newer
};

INSTANTIATE_TEST_SUITE_P(Forms, JournalTailTest, ::testing::Values("compact", "plain"));

TEST_P(JournalTailTest, GivesTheLastLinesInOrder) {
  Put("system.journal");
  const auto all = JournalTail(machine_, {}, kNow).Last(1000);
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_EQ(Entries(all.value()), kEntries);
  const auto last = JournalTail(machine_, {}, kNow).Last(3);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(Entries(last.value()), 3U);
  EXPECT_TRUE(all.value().ends_with(last.value()));
  EXPECT_EQ(last.value().substr(4, 1), "-");
  EXPECT_NE(last.value().find("+0000 "), std::string::npos);
}

TEST_P(JournalTailTest, GoesOnWithWhatIsAddedAndNothingTwice) {
  Put("system.journal", 100);
  JournalTail tail(machine_, {}, kNow);
  ASSERT_EQ(Entries(tail.Last(1000).value()), 100U);
  EXPECT_EQ(tail.Added(), "");
  Put("system.journal", 110);
  EXPECT_EQ(Entries(tail.Added()), 10U);
  EXPECT_EQ(tail.Added(), "");
}

TEST_P(JournalTailTest, ReadsAFileThatIsSetAsideToItsEndAndTheNewOneFromItsBeginning) {
  Put("system.journal", 100);
  JournalTail tail(machine_, {}, kNow);
  ASSERT_TRUE(tail.Last(0).ok());
  Put("system.journal", 105);
  std::filesystem::rename(Path("system.journal"), Path("system@0123-01-02.journal"));
  Put("system.journal", 7);
  EXPECT_EQ(Entries(tail.Added()), 12U);
  EXPECT_EQ(tail.Added(), "");
  Put("system.journal", 9);
  EXPECT_EQ(Entries(tail.Added()), 2U);
}

TEST_P(JournalTailTest, TakesOnlyTheLevelsAndTheUnitThatAreMeant) {
  Put("system.journal");
  const auto errors = JournalTail(machine_, {"", 4}, kNow).Last(1000);
  ASSERT_TRUE(errors.ok());
  EXPECT_GT(Entries(errors.value()), 0U);
  EXPECT_LT(Entries(errors.value()), kEntries);
  EXPECT_EQ(JournalTail(machine_, {"no-such.service", 0}, kNow).Last(1000).value(), "");
}

TEST_P(JournalTailTest, SaysThatThereIsNone) {
  const auto none = JournalTail(machine_, {}, kNow).Last(10);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  PutFile(Path("system.journal"), "no journal");
  EXPECT_FALSE(JournalTail(machine_, {}, kNow).Last(10).ok());
}

TEST(JournalLineTest, IsThatOfJournalctlWithTheLinesOfAMessageBelowEachOther) {
  JournalEntry entry;
  entry.realtime_us = 1'796'040'000'000'000;
  entry.values = {"web01", "sshd", "x", "12", std::nullopt, "one\ntwo"};
  const std::string line = JournalLine(entry);
  EXPECT_EQ(line.substr(0, line.find('\n')), "2026-11-30T12:00:00+0000 web01 sshd[12]: one");
  EXPECT_EQ(line.substr(line.find('\n') + 1), std::string(41, ' ') + "two\n");
  entry.values = {std::nullopt, std::nullopt, "comm", std::nullopt, "7", "m"};
  EXPECT_NE(JournalLine(entry).find(" comm[7]: m"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::agent
