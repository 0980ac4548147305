// groups, user_groups, shadow and sudoers: over the fixture tree, and against this machine's own tools.
#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

TEST(GroupsTableTest, ReadsGroupsAndSkipsWhatIsNone) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT *, pid_with_namespace FROM groups"),
            (Rows{"0|0|root|0", "10|10|wheel|0", "4294967294|-2|big|0", "55|55|\xff\x1b[2J|0"}));
  EXPECT_EQ(harness.Ask("SELECT groupname FROM groups WHERE gid = 10"), Rows{"wheel"});
}

TEST(GroupsTableTest, AgreesWithGetent) {
  EXPECT_EQ(Sorted(AskThisMachine("SELECT groupname || ':' || gid FROM groups")),
            Sorted(LinesOf("getent -s files group | cut -d: -f1,3")));
}

TEST(UserGroupsTableTest, GivesThePrimaryGroupAndThoseThatListTheUser) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM user_groups"),
            (Rows{"0|0", "0|10", "65534|65534", "4294967294|4294967295", "4294967294|4294967294",
                  "1001|1001", "1001|10", "1001|55", "7|8", "7|55"}));
  EXPECT_EQ(harness.Ask("SELECT gid FROM user_groups WHERE uid = 1001"),
            (Rows{"1001", "10", "55"}));
  EXPECT_EQ(harness.Ask("SELECT uid FROM user_groups WHERE gid = 55"), (Rows{"1001", "7"}));
}

TEST(UserGroupsTableTest, AgreesWithId) {
  for (const std::string& user : AskThisMachine("SELECT username FROM users LIMIT 5")) {
    EXPECT_EQ(Sorted(AskThisMachine("SELECT g.gid FROM user_groups g JOIN users USING (uid) WHERE "
                                    "username = '" +
                                    user + "'")),
              Sorted(LinesOf("id -G " + user + " | tr ' ' '\\n'")))
        << user;
  }
}

TEST(ShadowTableTest, TellsStatesAndAgesButNoHash) {
  QueryHarness harness;
  EXPECT_EQ(
      harness.Ask("SELECT * FROM shadow"),
      (Rows{"active|y|19500|0|99999|7|-1|-1|-1|root", "locked|NULL|19500|0|99999|7|-1|-1|-1|nobody",
            "locked|NULL|19000|1|90|14|30|20000|0|locked", "not_set|NULL|1|-1|-1|-1|-1|-1|-1|unset",
            "empty|NULL|1|-1|-1|-1|-1|-1|-1|open", "active|NULL|1|-1|-1|-1|-1|-1|-1|old",
            "active|6|-1|-1|-1|-1|-1|-1|-1|t\xf6st\x1b[0m"}));
  EXPECT_EQ(harness.Ask("SELECT max FROM shadow WHERE username = 'locked'"), Rows{"90"});
}

TEST(SudoersTableTest, JoinsLinesAndFollowsIncludesOnce) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT * FROM sudoers"),
            (Rows{"/etc/sudoers|Defaults|env_reset", "/etc/sudoers|root|ALL=(ALL:ALL) ALL",
                  "/etc/sudoers|%wheel|ALL=(ALL)         NOPASSWD: ALL",
                  "/etc/sudoers|includedir|/etc/sudoers.d",
                  "/etc/sudoers.d/ten|t|ALL=(root) /bin/x", "/etc/sudoers|include|local",
                  "/etc/local|\xff\x1b[2J|ALL=(ALL) ALL", "/etc/sudoers|include|/etc/sudoers"}));
}

}  // namespace
}  // namespace holdfast::agent
