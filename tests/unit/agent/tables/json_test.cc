// Values looked up in JSON where it stands, also where it is torn or none.
#include "agent/tables/json.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

constexpr std::string_view kText =
    R"( {"a": {"b": [1, "two", {"c": "]}"}, null, true]}, "q\"x": "\u00e4\n\/", "empty": {}, "z": -1.5e3})";

TEST(JsonTest, FindsMembersAndElements) {
  EXPECT_EQ(TextOfJson(JsonMember(kText, "z")), "-1.5e3");
  std::string_view rest = JsonMember(JsonMember(kText, "a"), "b");
  std::string_view value;
  std::string all;
  while (NextJsonElement(rest, value)) all += TextOfJson(value) + ";";
  EXPECT_EQ(all, "1;two;{\"c\": \"]}\"};;true;");
  EXPECT_EQ(TextOfJson(JsonMember(kText, "q\\\"x")), "\xc3\xa4\n/");
  EXPECT_EQ(JsonMember(kText, "none"), "");
  EXPECT_EQ(JsonMember(JsonMember(kText, "empty"), "x"), "");
}

TEST(JsonTest, TakesUnicodeEscapes) {
  EXPECT_EQ(TextOfJson(R"("\ud83d\ude00")"), "\xf0\x9f\x98\x80");
  EXPECT_EQ(TextOfJson(R"("\ud83d")"), "\xef\xbf\xbd");
  EXPECT_EQ(TextOfJson(R"("\u12")"),
            "\xef\xbf\xbd"
            "12");
}

TEST(JsonTest, TakesNoHarmFromWhatIsTornOrDeep) {
  for (std::size_t size = 0; size < kText.size(); ++size) {
    const std::string_view torn = kText.substr(0, size);
    (void)TextOfJson(JsonMember(JsonMember(torn, "a"), "b"));
    (void)JsonMember(torn, "z");
  }
  const std::string deep = "{\"a\": " + std::string(100'000, '[') + "}";
  EXPECT_EQ(JsonMember(deep, "a"), "");
  EXPECT_EQ(JsonMember("[1]", "a"), "");
  EXPECT_EQ(JsonMember("\"text\"", "a"), "");
}

}  // namespace
}  // namespace holdfast::agent
