#include "agent/verbs/homes.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    "www-data:x:33:33:www-data:/var/www/:/usr/sbin/nologin\n"
    "ada:x:1000:1000::/home/ada:/bin/bash\n"
    "odd:x:1001:1001::relative:/bin/bash\n"
    "slash:x:1002:1002::/:/bin/bash\n"
    "not a line\n";

TEST(HomesTest, AreThoseOfAccountsAndWhatLiesInHome) {
  EXPECT_EQ(HomesOf(kPasswd, Texts{"ada", "gone"}),
            (Texts{"/home/ada", "/home/gone", "/root", "/var/www"}));
  EXPECT_EQ(HomesOf("", {}), Texts{"/root"}) << "without accounts";
}

TEST(HomesTest, StandForTheMarkerAtTheBeginning) {
  const Texts homes = {"/home/ada", "/root"};
  EXPECT_EQ(ExpandHomes("%%users.homedir%%/.ssh/*", homes),
            (Texts{"/home/ada/.ssh/*", "/root/.ssh/*"}));
  EXPECT_EQ(ExpandHomes("%%users.homedir%%", homes), homes);
  EXPECT_EQ(ExpandHomes("/etc/passwd", homes), Texts{"/etc/passwd"});
  EXPECT_TRUE(ExpandHomes("%%users.homedir%%x", homes).empty());
}

TEST(HomesTest, AHomeIsANameAndNoPattern) {
  EXPECT_EQ(ExpandHomes("%%users.homedir%%/a*", Texts{"/home/[x]*"}), Texts{"/home/\\[x]\\*/a*"});
}

}  // namespace
}  // namespace holdfast::agent
