#include <gtest/gtest.h>

#include "agent/app/agent_state.h"

namespace holdfast::agent {
namespace {

constexpr unsigned kNobody = 65534;

void Expect(const char* passwd, unsigned user, unsigned group) {
  const UserIds ids = LinkUserOf(passwd);
  EXPECT_EQ(ids.user, user) << passwd;
  EXPECT_EQ(ids.group, group) << passwd;
}

// The two numbers need not be equal: taken for the group's, the user's may be that of a group which may read the
// system's journal, or its disks.
TEST(LinkUserTest, HasTheUserAndTheGroupOfItsLine) {
  Expect("root:x:0:0::/:/bin/sh\nholdfast-link:x:999:995::/nonexistent:/sbin/nologin\n", 999, 995);
  Expect("holdfast-link:x:999:995::/nonexistent:/sbin/nologin", 999, 995);
}

TEST(LinkUserTest, IsNobodyWhereTheLineIsMissingOrSaysRootOrNothing) {
  for (const char* passwd :
       {"", "root:x:0:0::/:/bin/sh\n", "x-holdfast-link:x:9:9:::\n", "holdfast-link",
        "holdfast-link:x", "holdfast-link:x:", "holdfast-link:x:9",
        "holdfast-link:x:9:", "holdfast-link:x:9:0::/:/x\n", "holdfast-link:x:0:9::/:/x\n",
        "holdfast-link:x:a:9::/:/x\n", "holdfast-link:x:-9:9::/:/x\n"}) {
    Expect(passwd, kNobody, kNobody);
  }
}

}  // namespace
}  // namespace holdfast::agent
