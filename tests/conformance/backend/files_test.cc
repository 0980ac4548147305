#include "backend/adapters/linux/files.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace holdfast::backend {
namespace {

namespace fs = std::filesystem;

class FilesTest : public ::testing::Test {
 protected:
  ::holdfast::testing::TempDir dir_;
  std::string lock_ = dir_ / "lock";
};

TEST_F(FilesTest, ALockHasOneHolderAtATime) {
  {
    const auto held = LockFile(lock_);
    ASSERT_TRUE(held.ok());
    EXPECT_EQ(LockFile(lock_).error().code, Code::kExists);
    EXPECT_EQ(LockExistingFile(lock_).error().code, Code::kExists);
  }
  const auto held = LockExistingFile(lock_);
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(LockFile(lock_).error().code, Code::kExists);
}

TEST_F(FilesTest, NoLockIsTakenThroughALink) {
  const std::string other = dir_.Write("other", "precious");
  fs::create_symlink(other, lock_);
  EXPECT_FALSE(LockFile(lock_).ok());
  EXPECT_FALSE(LockExistingFile(lock_).ok());
  EXPECT_EQ(::holdfast::testing::ReadWhole(other), "precious");
}

TEST_F(FilesTest, LockingWhatIsThereChangesNothingInIt) {
  EXPECT_EQ(LockExistingFile(lock_).error().code, Code::kNotFound);
  EXPECT_FALSE(fs::exists(lock_));
  dir_.Write("lock", "4711");
  EXPECT_TRUE(LockExistingFile(lock_).ok());
  EXPECT_EQ(::holdfast::testing::ReadWhole(lock_), "4711");
}

}  // namespace
}  // namespace holdfast::backend
