#include "common/base/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Utf8Test, APrefixEndsBetweenCharacters) {
  const std::string text = "a\xd0\xb6\xe2\x82\xac\xf0\x9f\x98\x80z";  // 1, 2, 3, 4 and 1 bytes
  const std::size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (std::size_t most = 0; most < std::size(ends); ++most) {
    EXPECT_EQ(Utf8Prefix(text, most), text.substr(0, ends[most])) << most;
  }
}

TEST(Utf8Test, APrefixIsValidWhateverCame) {
  EXPECT_EQ(Utf8Prefix("a\xff\xd0", 99), "a??");
  EXPECT_EQ(Utf8Prefix("\xed\xa0\x80x", 99), "???x");  // a surrogate
  EXPECT_TRUE(IsUtf8(Utf8Prefix(std::string("\x00\xd0", 2), 99)));
  EXPECT_EQ(Utf8Prefix("", 99), "");
}

}  // namespace
}  // namespace holdfast
