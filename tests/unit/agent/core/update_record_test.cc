#include "agent/core/update_record.h"

#include <gtest/gtest.h>

#include "agent/core/sealed_lines.h"

namespace holdfast::agent {
namespace {

constexpr WallTime kNow{1796088374000};  // 2026-12-01 01:26:14 UTC

Digest Of(char c) { return *Digest::From(std::string(32, c)); }

UpdateRecord Full() {
  UpdateRecord record;
  record.root_version = 3;
  record.floor = "0.1.5";
  record.current = Program{"0.2.0", Of('c')};
  record.previous = Program{"0.1.9", Of('p')};
  record.trial = UpdateTrial{{"0.3.0", Of('t')},        Of('d'), 1, std::chrono::seconds(60),
                             std::chrono::seconds(180), "0.2.0"};
  record.current_since = WallTime(kNow.get() - 7'200'000);
  record.failed = UpdateFailure{{"0.2.9", Of('f')}, Of('e'), "it ended 3 times", kNow};
  return record;
}

TEST(UpdateRecordTest, ComesBackAsItWasWritten) {
  const std::string text = FormatUpdate(Full());
  const auto read = ParseUpdate(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(FormatUpdate(read.value()), text);
  EXPECT_EQ(read.value().trial->program.version, "0.3.0");
  EXPECT_EQ(read.value().failed->why, "it ended 3 times");
  EXPECT_EQ(read.value().floor, "0.1.5");
}

TEST(UpdateRecordTest, AnyChangedByteIsNoticed) {
  const std::string text = FormatUpdate(Full());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    EXPECT_FALSE(ParseUpdate(changed).ok()) << i;
    EXPECT_FALSE(ParseUpdate(text.substr(0, i)).ok()) << i;
  }
}

TEST(UpdateRecordTest, LinesOfALaterVersionArePassedOver) {
  const auto read = ParseUpdate(Sealed("HOLDFAST-UPDATE-v1\nroot 2\ncolour blue\ntrial 0.3.0 " +
                                       Of('t').hex() + "\nmood good\nstarts 1\n"));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().root_version, 2U);
  EXPECT_EQ(read.value().trial->starts, 1U);
}

TEST(UpdateRecordTest, SaysWhatBecameOfUpdatesAndWhen) {
  EXPECT_EQ(DescribeUpdates(UpdateRecord{}), "");
  UpdateRecord record = Full();
  EXPECT_EQ(
      DescribeUpdates(record),
      "0.3.0 is on trial, started 1 times; 0.2.0 is what it falls back to since "
      "2026-11-30 23:26:14 UTC; 0.2.9 was taken back 2026-12-01 01:26:14 UTC: it ended 3 times; "
      "none below 0.1.5 is installed");
  record.trial.reset();
  record.failed.reset();
  EXPECT_EQ(DescribeUpdates(record),
            "0.2.0 runs since 2026-11-30 23:26:14 UTC; none below 0.1.5 is installed");
  // Times are missing in what an earlier version wrote.
  record.current_since = WallTime(0);
  EXPECT_EQ(DescribeUpdates(record), "0.2.0 runs; none below 0.1.5 is installed");
}

TEST(ChooseProgramTest, WithoutARecordThePackagedOneRuns) {
  UpdateRecord record;
  const NextProgram next = ChooseProgram(record, "0.1.0", kNow);
  EXPECT_FALSE(next.program);
  EXPECT_FALSE(next.has_changed);
}

TEST(ChooseProgramTest, ATrialIsCountedAndStartedThreeTimesAndThenTheOneBefore) {
  UpdateRecord record = Full();
  record.trial->starts = 0;
  for (std::uint32_t start = 1; start <= 3; ++start) {
    const NextProgram next = ChooseProgram(record, "0.1.0", kNow);
    ASSERT_TRUE(next.program);
    EXPECT_EQ(next.program->version, "0.3.0");
    EXPECT_TRUE(next.is_trial && next.has_changed);
    EXPECT_EQ(record.trial->starts, start);
  }
  const NextProgram next = ChooseProgram(record, "0.1.0", kNow);
  EXPECT_EQ(next.program->version, "0.2.0");
  EXPECT_TRUE(next.has_changed);
  EXPECT_FALSE(record.trial);
  EXPECT_EQ(record.failed->program.version, "0.3.0");
  EXPECT_EQ(record.failed->command, Of('d'));
  EXPECT_EQ(record.failed->at, kNow);
  // And it stays so.
  EXPECT_FALSE(ChooseProgram(record, "0.1.0", kNow).has_changed);
}

TEST(ChooseProgramTest, APackageThatIsAsNewWins) {
  UpdateRecord record = Full();
  EXPECT_EQ(ChooseProgram(record, "0.2.5", kNow).program->version, "0.3.0");
  EXPECT_FALSE(record.current) << "the package is newer than what ran before the trial";
  record = Full();
  const NextProgram next = ChooseProgram(record, "0.3.0", kNow);
  EXPECT_FALSE(next.program);
  EXPECT_TRUE(next.has_changed);
  EXPECT_FALSE(record.trial || record.current || record.previous);
}

TEST(ChooseProgramTest, WhatCannotBeStartedGivesWayToTheOneBeforeItAndAtLastToThePackagedOne) {
  UpdateRecord record = Full();
  NextProgram next = ChooseProgram(record, "0.1.0", kNow);
  StrikeOut(record, next, "not what was\nfetched", kNow);
  EXPECT_EQ(record.failed->why, "not what was fetched");
  next = ChooseProgram(record, "0.1.0", kNow);
  EXPECT_EQ(next.program->version, "0.2.0");
  StrikeOut(record, next, "gone", kNow);
  next = ChooseProgram(record, "0.1.0", kNow);
  EXPECT_EQ(next.program->version, "0.1.9");
  StrikeOut(record, next, "gone", kNow);
  EXPECT_FALSE(ChooseProgram(record, "0.1.0", kNow).program);
}

}  // namespace
}  // namespace holdfast::agent
