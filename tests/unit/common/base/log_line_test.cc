#include "common/base/log_line.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(LogLineTest, IsOneLineOfPairs) {
  const LogLine line = LogLine(LogLevel::kInfo, "link_opened")
                           .Id("agent", "6f1c")
                           .Num("links", -3)
                           .Text("host", "h 1");
  EXPECT_EQ(line.str(), "level=info event=link_opened agent=6f1c links=-3 host=\"h 1\"");
  EXPECT_EQ(line.level(), LogLevel::kInfo);
}

TEST(LogLineTest, StaysOneLineWhateverAnEndpointSays) {
  const LogLine line = LogLine(LogLevel::kWarn, "e")
                           .Text("name", Untrusted("x\" level=error\nevent=fake"))
                           .Id("id", "a b\n\"");
  EXPECT_EQ(line.str(),
            "level=warn event=e name=\"x\\\" level=error\\nevent=fake\" id=\"a b\\n\\\"\"");
  EXPECT_EQ(std::count(line.str().begin(), line.str().end(), '\n'), 0);
}

TEST(LogLineTest, SaysCodeAndMessageOfAnError) {
  EXPECT_EQ(LogLine(LogLevel::kError, "e").Err(Error{Code::kDenied, "no"}).str(),
            "level=error event=e code=denied error=\"no\"");
}

TEST(LogLineTest, CutsLongText) {
  EXPECT_LT(LogLine(LogLevel::kDebug, "e").Text("t", std::string(10000, 'x')).str().size(), 300U);
}

TEST(LogLineTest, NamesEveryLevel) {
  EXPECT_EQ(ToString(LogLevel::kDebug), "debug");
  EXPECT_EQ(ToString(LogLevel::kInfo), "info");
  EXPECT_EQ(ToString(LogLevel::kWarn), "warn");
  EXPECT_EQ(ToString(LogLevel::kError), "error");
}

}  // namespace
}  // namespace holdfast
