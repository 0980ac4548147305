#include "agent/verbs/pty_recording.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/core/limits.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

namespace fs = std::filesystem;

Digest DigestOf(std::uint8_t number) {
  Digest digest;
  std::memset(digest.data(), number, Digest::kSize);
  return digest;
}

class PtyRecordingTest : public ::testing::Test {
 protected:
  // As many as are kept, all younger than any that a test opens before.
  void KeepMany() {
    for (std::size_t i = 0; i < kKeptRecordings; ++i) {
      const fs::path path = state_ / "recordings" / (std::to_string(i) + ".cast");
      std::ofstream(path) << "x";
      fs::last_write_time(path, fs::file_time_type::clock::now() + std::chrono::hours(1));
    }
  }
  std::size_t Kept() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& one : fs::directory_iterator(state_ / "recordings")) ++count;
    return count;
  }

  testing::TempDir dir_;
  const fs::path state_ = dir_.path();
};

TEST_F(PtyRecordingTest, IsReadableByNobodyElseAndNeverWrittenOver) {
  PtyRecording recording;
  ASSERT_EQ(recording.Open(state_.string(), DigestOf(1)), 0);
  EXPECT_EQ(recording.Append("text"), 0);
  EXPECT_EQ(recording.Close(), 0);
  struct stat facts = {};
  ASSERT_EQ(stat(recording.path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  EXPECT_EQ(facts.st_size, 4);
  PtyRecording again;
  EXPECT_EQ(again.Open(state_.string(), DigestOf(1)), EEXIST);
}

TEST_F(PtyRecordingTest, TheOldestMakesRoomForAnother) {
  PtyRecording old;
  ASSERT_EQ(old.Open(state_.string(), DigestOf(1)), 0);
  EXPECT_EQ(old.Close(), 0);
  KeepMany();
  PtyRecording next;
  ASSERT_EQ(next.Open(state_.string(), DigestOf(2)), 0);
  EXPECT_FALSE(fs::exists(old.path()));
  EXPECT_EQ(Kept(), kKeptRecordings);
}

TEST_F(PtyRecordingTest, OneThatIsBeingWrittenIsNotTakenAway) {
  PtyRecording live;
  ASSERT_EQ(live.Open(state_.string(), DigestOf(1)), 0);
  KeepMany();
  PtyRecording next;
  ASSERT_EQ(next.Open(state_.string(), DigestOf(2)), 0);
  EXPECT_TRUE(fs::exists(live.path()));
  EXPECT_EQ(live.Append("goes on"), 0);
  EXPECT_EQ(live.Close(), 0);
  PtyRecording third;
  ASSERT_EQ(third.Open(state_.string(), DigestOf(3)), 0);
  EXPECT_FALSE(fs::exists(live.path())) << "it is the oldest, and nobody writes it any more";
}

}  // namespace
}  // namespace holdfast::agent
