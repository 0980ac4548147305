#include <gtest/gtest.h>

#include "backend/cli/arguments.h"
#include "backend/cli/capture_words.h"
#include "backend/cli/memory_words.h"

namespace holdfast::cli {
namespace {

int StatusOf(std::vector<const char*> words) {
  words.insert(words.begin(), "holdfast");
  testing::internal::CaptureStderr();
  const auto parsed = ParseArguments(static_cast<int>(words.size()), words.data());
  testing::internal::GetCapturedStderr();
  return std::holds_alternative<int>(parsed) ? std::get<int>(parsed) : 0;
}

TEST(MemoryWordsTest, RegionsAreHexadecimalAsTheyAreListed) {
  MemoryOptions words;
  words.regions = {"0x7f00-0x8f00", "1000-2000"};
  words.permissions = "wx";
  const auto args = MemdumpArgsOf(12, words);
  ASSERT_TRUE(args.ok()) << args.error().message;
  EXPECT_EQ(args.value().ranges(0), 0x7f00U);
  EXPECT_EQ(args.value().ranges(1), 0x8f00U);
  EXPECT_EQ(args.value().ranges(3), 0x2000U);
  for (const char* const region : {"", "1000", "1000-", "-1000", "heap-stack", "1000-2000-3000"}) {
    words.regions = {region};
    EXPECT_FALSE(MemdumpArgsOf(12, words).ok()) << region;
  }
}

TEST(MemoryWordsTest, AFileIsCalledByItsProcess) {
  ::holdfast::command::v1::MemdumpArgs args;
  args.set_pid(12);
  EXPECT_EQ(MemoryFileName(args), "pid-12.core");
  args.set_machine(true);
  EXPECT_EQ(MemoryFileName(args), "memory.lime");
}

TEST(CaptureWordsTest, APipeTakesAnHourAndAFileAMinuteUnlessSaid) {
  Options options;
  EXPECT_EQ(CaptureArgsOf(options).value().duration_ms(), 60'000U);
  options.to_pipe = true;
  EXPECT_EQ(CaptureArgsOf(options).value().duration_ms(), 3'600'000U);
  options.capture.seconds = 5;
  options.capture.filter = "port 53";
  const auto args = CaptureArgsOf(options);
  ASSERT_TRUE(args.ok());
  EXPECT_EQ(args.value().duration_ms(), 5000U);
  EXPECT_EQ(args.value().expression(), "port 53");
  EXPECT_EQ(args.value().filter().size() % 8, 0U);
  EXPECT_GT(args.value().filter().size(), 80U);
  options.capture.filter = "prot 53";
  EXPECT_FALSE(CaptureArgsOf(options).ok());
}

TEST(EvidenceGrammarTest, AMistakeIsStatus2) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"memdump", "T"},
           {"memdump", "T", "12", "13"},
           {"ps", "T", "-o", "-"},
           {"capture", "T", "--seconds", "0"},
           {"capture", "T", "--packets", "0"},
           {"capture", "T", "--snap", "300000"},
           {"scan", "T", "/"},
           {"scan", "T", "/", "--rules", "r", "--max-matches", "0"}}) {
    EXPECT_EQ(StatusOf(words), 2) << words[0];
  }
  EXPECT_EQ(StatusOf({"capture", "T", "-o", "-"}), 0);
}

}  // namespace
}  // namespace holdfast::cli
