#include "common/base/delimited.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr std::size_t kMax = 1000;

// Every record that comes out of `bytes` pushed in pieces of `piece`.
std::vector<std::string> ReadAll(const std::string& bytes, std::size_t piece,
                                 DelimitedReader& reader) {
  std::vector<std::string> records;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.Push(std::string_view(bytes).substr(at, piece));
    for (;;) {
      auto next = reader.Next();
      EXPECT_TRUE(next.ok());
      if (!next.ok() || !next.value()) break;
      records.push_back(*std::move(next).value());
    }
  }
  return records;
}

TEST(DelimitedTest, ReadsWhatWasAppendedHoweverItIsCut) {
  const std::vector<std::string> records = {
      "", "a", std::string(127, 'b'), std::string(128, 'c'), "", std::string(kMax, 'd')};
  std::string bytes;
  for (const std::string& record : records) AppendDelimited(bytes, record);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    DelimitedReader reader(kMax);
    EXPECT_EQ(ReadAll(bytes, piece, reader), records) << piece;
    EXPECT_TRUE(reader.empty()) << piece;
  }
}

TEST(DelimitedTest, KnowsThatARecordIsNotWhole) {
  DelimitedReader reader(kMax);
  EXPECT_TRUE(reader.empty());
  reader.Push(
      "\x03"
      "ab");
  EXPECT_FALSE(reader.Next().value());
  EXPECT_FALSE(reader.empty());
  reader.Push("c");
  EXPECT_EQ(*reader.Next().value(), "abc");
  EXPECT_TRUE(reader.empty());
}

TEST(DelimitedTest, RefusesALengthAboveTheLimitBeforeItsBytesCome) {
  DelimitedReader reader(kMax);
  std::string bytes;
  AppendDelimited(bytes, std::string(kMax + 1, 'x'));
  reader.Push(bytes.substr(0, 2));
  EXPECT_EQ(reader.Next().error().code, Code::kCorrupt);
}

TEST(DelimitedTest, RefusesLengthsThatAreNoVarint) {
  for (const std::string& bad :
       {std::string("\xff\xff\xff\xff\xff"), std::string("\x80\x80\x80\x80\x80\x01"),
        std::string("\x80\x00", 2), std::string("\x81\x80\x00", 3),
        std::string("\xff\xff\xff\xff\x7f")}) {
    DelimitedReader reader(kMax);
    reader.Push(bad);
    EXPECT_EQ(reader.Next().error().code, Code::kCorrupt);
  }
}

TEST(DelimitedTest, StaysCorruptAndHoldsNothingMore) {
  DelimitedReader reader(kMax);
  reader.Push(std::string("\x80\x00", 2));
  EXPECT_FALSE(reader.Next().ok());
  reader.Push(
      "\x01"
      "a");
  EXPECT_EQ(reader.Next().error().code, Code::kCorrupt);
  EXPECT_FALSE(reader.empty());
}

}  // namespace
}  // namespace holdfast
