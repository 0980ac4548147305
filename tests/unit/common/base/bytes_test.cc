#include "common/base/bytes.h"

#include <string>
#include <unordered_set>

#include <gtest/gtest.h>

#include "common/base/ids.h"

namespace holdfast {
namespace {

std::string AllBytes(std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += static_cast<char>(i * 37 + 11);
  return out;
}

TEST(BytesTest, HexGoesBothWays) {
  EXPECT_EQ(ToHex(std::string_view("\x00\x7f\xff\x0a", 4)), "007fff0a");
  EXPECT_EQ(FromHex("007fFF0A").value(), std::string("\x00\x7f\xff\x0a", 4));
  EXPECT_EQ(FromHex("").value(), "");
}

TEST(BytesTest, HexRefusesWhatIsNotHex) {
  EXPECT_FALSE(FromHex(std::string_view("0000", 3)).ok());
  for (const char* bad : {"0", "0g", "g0", " 00", "0x", "00 ", "\xc3\xa9"}) {
    const auto result = FromHex(bad);
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.error().code, Code::kInvalid);
  }
}

TEST(BytesTest, Base64UrlWritesTheVectorsOfTheStandardWithoutPadding) {
  EXPECT_EQ(ToBase64Url(""), "");
  EXPECT_EQ(ToBase64Url("f"), "Zg");
  EXPECT_EQ(ToBase64Url("fo"), "Zm8");
  EXPECT_EQ(ToBase64Url("foo"), "Zm9v");
  EXPECT_EQ(ToBase64Url("foob"), "Zm9vYg");
  EXPECT_EQ(ToBase64Url("fooba"), "Zm9vYmE");
  EXPECT_EQ(ToBase64Url("foobar"), "Zm9vYmFy");
  EXPECT_EQ(ToBase64Url("\xfb\xff\xfe"), "-__-");
}

TEST(BytesTest, Base64UrlReadsBackEveryLength) {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string bytes = AllBytes(size);
    EXPECT_EQ(FromBase64Url(ToBase64Url(bytes)).value(), bytes) << size;
  }
}

TEST(BytesTest, Base64UrlRefusesEverySecondWayToWriteTheSame) {
  // Padding, the other alphabet, white space, an impossible length, bits that no byte holds.
  for (const char* bad : {"Zg==", "Zm8=", "+//+", "Zm 9", "Zm9v\n", "Z", "Zm9vZ", "Zh", "Zm9"}) {
    const auto result = FromBase64Url(bad);
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.error().code, Code::kInvalid);
  }
}

TEST(FixedBytesTest, TakesExactlyItsSize) {
  EXPECT_FALSE(AgentId::From(AllBytes(15)));
  EXPECT_FALSE(AgentId::From(AllBytes(17)));
  EXPECT_EQ(AgentId::From(AllBytes(16))->view(), AllBytes(16));
  EXPECT_EQ(AgentId{}.hex(), std::string(32, '0'));
}

TEST(FixedBytesTest, OrdersAsBytesAndHashes) {
  const AgentId low = *AgentId::From(std::string(15, 'a') + 'a');
  const AgentId high = *AgentId::From(std::string(15, 'a') + '\xff');
  EXPECT_LT(low, high);
  EXPECT_NE(low, high);
  const std::unordered_set<AgentId, FixedBytesHash> ids = {low, high, low};
  EXPECT_EQ(ids.size(), 2U);
}

}  // namespace
}  // namespace holdfast
