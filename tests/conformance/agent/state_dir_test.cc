#include "agent/adapters/linux/state_dir.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using Mode = StateDir::Mode;

unsigned ModeOf(const std::string& path) {
  struct stat facts {};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0);
  return facts.st_mode & 0777U;
}

class StateDirTest : public ::testing::Test {
 protected:
  StateDirTest() { ::chmod(path().c_str(), 0755); }
  std::string path() const { return temp_.path(); }

 private:
  testing::TempDir temp_;
};

// A mistyped --state, or a link that somebody laid: as root it may be any directory of the machine.
TEST_F(StateDirTest, LeavesADirectoryAsItIsThatIsNoAgents) {
  ASSERT_TRUE(StateDir::Open(path(), Mode::kLook).ok());
  EXPECT_EQ(StateDir::Open(path(), Mode::kOwn).error().code, Code::kNotFound);
  EXPECT_EQ(ModeOf(path()), 0755U);
  EXPECT_NE(::access((path() + "/agent.lock").c_str(), F_OK), 0);
}

TEST_F(StateDirTest, ClosesAnAgentsOwnToOthersButNotWhenItOnlyLooks) {
  ASSERT_TRUE(StateDir::Open(path(), Mode::kCreateAndOwn).ok());
  EXPECT_EQ(ModeOf(path()), 0700U);
  ::chmod(path().c_str(), 0755);
  ASSERT_TRUE(StateDir::Open(path(), Mode::kLook).ok());
  EXPECT_EQ(ModeOf(path()), 0755U);
  ASSERT_TRUE(StateDir::Open(path(), Mode::kOwn).ok());
  EXPECT_EQ(ModeOf(path()), 0700U);
}

TEST_F(StateDirTest, IsHeldByOneAtATime) {
  const auto first = StateDir::Open(path(), Mode::kCreateAndOwn);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(StateDir::Open(path(), Mode::kOwn).error().code, Code::kExists);
  EXPECT_TRUE(StateDir::Open(path(), Mode::kLook).ok());
}

}  // namespace
}  // namespace holdfast::agent
