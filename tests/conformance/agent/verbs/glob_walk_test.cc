#include "agent/verbs/glob_walk.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/verbs/homes.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;
using Texts = std::vector<std::string>;

// A home as attackers and people leave it.
class GlobWalkTest : public ::testing::Test {
 protected:
  GlobWalkTest() {
    for (const char* dir :
         {"home", "home/ada", "home/ada/.ssh", "home/ada/a", "home/ada/a/b", "home/ada/a/b/c",
          "home/ada/a/b/c/d", "home/bob", "home/bob/.ssh", "home/[x]*", "home/[x]*/.ssh"}) {
      mkdir((dir_ / dir).c_str(), 0755);
    }
    for (const char* file :
         {"home/ada/.bash_history", "home/ada/.ssh/authorized_keys",
          "home/ada/.ssh/authorized_keys2", "home/ada/a/one.log", "home/ada/a/b/two.log",
          "home/ada/a/b/c/three.log", "home/ada/a/b/c/d/four.log", "home/bob/.bash_history",
          "home/[x]*/.ssh/authorized_keys", "home/ada/new\nline\x1b[2J\xff.log"}) {
      dir_.Write(file, file);
    }
    (void)!symlink("/", (dir_ / "home/ada/a/root").c_str());
    (void)!symlink("../ada", (dir_ / "home/bob/link").c_str());
    (void)!symlink("nowhere", (dir_ / "home/bob/dangling").c_str());
    mkfifo((dir_ / "home/bob/fifo").c_str(), 0600);
  }

  // Without the temporary directory before them; "!" before one that was denied.
  Texts Found(const std::string& pattern) const {
    GlobWalk walk(dir_.path() + pattern);
    GlobFound found;
    Texts paths;
    for (auto step = walk.Next(found); step != GlobWalk::Step::kEnd; step = walk.Next(found)) {
      if (step == GlobWalk::Step::kGoesOn) continue;
      const std::string path = found.path.substr(dir_.path().size());
      if (step == GlobWalk::Step::kDenied) {
        paths.push_back("!" + path);
        continue;
      }
      struct stat at = {};
      EXPECT_EQ(fstatat(found.dir_fd, found.name.c_str(), &at, AT_SYMLINK_NOFOLLOW), 0) << path;
      paths.push_back(path);
    }
    return paths;
  }

  TempDir dir_;
};

TEST_F(GlobWalkTest, TakesPlainComponentsAsTheyAre) {
  EXPECT_EQ(Found("/home/ada/.bash_history"), Texts{"/home/ada/.bash_history"});
  EXPECT_EQ(Found("/home/nobody/.bash_history"), Texts{});
  EXPECT_EQ(Found("/home/ada/.bash_history/x"), Texts{}) << "a file is no directory";
  EXPECT_EQ(Found("/home/bob/link/.bash_history"), Texts{"/home/bob/link/.bash_history"});
  EXPECT_EQ(Found("/home/bob/dangling"), Texts{"/home/bob/dangling"});
}

TEST_F(GlobWalkTest, MatchesNamesOfADirectoryInTheirOrder) {
  EXPECT_EQ(Found("/home/*/.bash_history"),
            (Texts{"/home/ada/.bash_history", "/home/bob/.bash_history"}));
  EXPECT_EQ(Found("/home/ada/.ssh/authorized_keys*"),
            (Texts{"/home/ada/.ssh/authorized_keys", "/home/ada/.ssh/authorized_keys2"}));
  EXPECT_EQ(Found("/home/[ab]?*/.SSH/*"), Texts{}) << "case counts";
  EXPECT_EQ(Found("/home/ada/new*"), Texts{"/home/ada/new\nline\x1b[2J\xff.log"});
}

TEST_F(GlobWalkTest, TwoStarsGoAsFarAsTheySayAndEnterNoLinks) {
  EXPECT_EQ(Found("/home/ada/a/**1"),
            (Texts{"/home/ada/a/b", "/home/ada/a/one.log", "/home/ada/a/root"}));
  EXPECT_EQ(
      Found("/home/ada/a/**/*.log"),
      (Texts{"/home/ada/a/b/two.log", "/home/ada/a/b/c/three.log", "/home/ada/a/b/c/d/four.log"}))
      << "in what lies 1 to 3 levels below, not in the directory itself; not in / behind the link";
  EXPECT_EQ(Found("/home/bob/**"),
            (Texts{"/home/bob/.bash_history", "/home/bob/.ssh", "/home/bob/dangling",
                   "/home/bob/fifo", "/home/bob/link"}));
  const Texts all = Found("/home/ada/a/**10");
  EXPECT_EQ(all.size(), 8U);
  EXPECT_NE(std::ranges::find(all, "/home/ada/a/b/c/d/four.log"), all.end());
}

TEST_F(GlobWalkTest, HomesAreExpandedToWhatIsThere) {
  const std::string passwd = "ada:x:1:1::" + dir_.path() + "/home/ada:/bin/sh\n" +
                             "gone:x:2:2::" + dir_.path() + "/home/gone:/bin/sh\n" +
                             "odd:x:3:3::" + dir_.path() + "/home/[x]*:/bin/sh\n";
  Texts found;
  for (const std::string& pattern :
       ExpandHomes("%%users.homedir%%/.ssh/authorized_keys", HomesOf(passwd, {}))) {
    GlobWalk walk(pattern);
    GlobFound each;
    while (walk.Next(each) == GlobWalk::Step::kFound) {
      if (each.path.starts_with(dir_.path())) found.push_back(each.path.substr(dir_.path().size()));
    }
  }
  EXPECT_EQ(found, (Texts{"/home/[x]*/.ssh/authorized_keys", "/home/ada/.ssh/authorized_keys"}));
}

TEST_F(GlobWalkTest, APathLongerThanTheKernelTakesIsWalkedAllTheSame) {
  const std::string name(200, 'd');
  std::string deep;
  int at = open((dir_ / "home").c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 24; ++i) {
    ASSERT_EQ(mkdirat(at, name.c_str(), 0755), 0);
    const int next = openat(at, name.c_str(), O_RDONLY | O_DIRECTORY);
    close(at);
    at = next;
    deep += "/d*";
  }
  close(at);
  const Texts found = Found("/home" + deep);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_GT(found[0].size(), 4096U);
}

TEST_F(GlobWalkTest, ALongLookForNothingStopsNowAndThen) {
  mkdir((dir_ / "many").c_str(), 0755);
  for (int i = 0; i < 3000; ++i) dir_.Write("many/" + std::to_string(i), "");
  GlobWalk walk(dir_ / "many/x*");
  GlobFound found;
  EXPECT_EQ(walk.Next(found), GlobWalk::Step::kGoesOn);
  EXPECT_EQ(walk.Next(found), GlobWalk::Step::kGoesOn);
  EXPECT_EQ(walk.Next(found), GlobWalk::Step::kEnd);
}

TEST_F(GlobWalkTest, ADirectoryThatMayNotBeListedIsTold) {
  chmod(dir_.path().c_str(), 0755);
  chmod((dir_ / "home/ada").c_str(), 0);
  const uid_t before = geteuid();
  if (before == 0) {  // who may list everything
    ASSERT_EQ(seteuid(65534), 0);
  }
  EXPECT_EQ(Found("/home/ada/*"), Texts{"!/home/ada/"});
  ASSERT_EQ(seteuid(before), 0);
  chmod((dir_ / "home/ada").c_str(), 0755);
}

}  // namespace
}  // namespace holdfast::agent
