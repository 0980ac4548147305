#include "common/base/path_pattern.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(PathPatternTest, TakesWhatDefinitionsUse) {
  for (const char* pattern :
       {"/etc/passwd", "/var/log/auth*", "/etc/rc[0-9].d/*", "/var/spool/cron/**", "/a/**10",
        "/home/**2/.ssh", "%%users.homedir%%/.bash_history", "%%users.homedir%%", "/", "/a//b/"}) {
    EXPECT_EQ(PathPatternComplaint(pattern), "") << pattern;
  }
}

TEST(PathPatternTest, SaysWhatIsWrongWithOthers) {
  EXPECT_NE(PathPatternComplaint(""), "");
  EXPECT_NE(PathPatternComplaint("etc/passwd"), "");
  EXPECT_NE(PathPatternComplaint("%%environ_systemroot%%/x"), "");
  EXPECT_NE(PathPatternComplaint("%%users.homedir%%x/y"), "");
  EXPECT_NE(PathPatternComplaint("%%users.homedir%%/%%users.sid%%"), "");
  EXPECT_NE(PathPatternComplaint("/etc/../root"), "");
  EXPECT_NE(PathPatternComplaint("/etc/./x"), "");
  EXPECT_NE(PathPatternComplaint("/**0"), "");
  EXPECT_NE(PathPatternComplaint("/**11"), "");
  EXPECT_NE(PathPatternComplaint("/**99999999999999999999"), "");
  EXPECT_NE(PathPatternComplaint("/**/a/**"), "");
  EXPECT_NE(PathPatternComplaint(std::string("/a\0b", 4)), "");
  EXPECT_NE(PathPatternComplaint("/" + std::string(4096, 'a')), "");
  std::string wild;
  for (int i = 0; i < 33; ++i) wild += "/*";
  EXPECT_NE(PathPatternComplaint(wild), "");
}

TEST(PathPatternTest, KnowsHowDeepAComponentGoes) {
  EXPECT_EQ(DepthOfComponent("**"), 3U);
  EXPECT_EQ(DepthOfComponent("**7"), 7U);
  EXPECT_EQ(DepthOfComponent("**x"), std::nullopt) << "a name with wildcards";
  EXPECT_EQ(DepthOfComponent("*"), std::nullopt);
}

}  // namespace
}  // namespace holdfast
