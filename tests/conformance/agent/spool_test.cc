// One suite for the Spool port, on the fake and on segment files; then what only files can suffer.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "agent/adapters/linux/segment_spool.h"
#include "agent/adapters/linux/spool_record.h"
#include "common/base/crc32c.h"
#include "tests/support/fake_spool.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

constexpr std::uint64_t kMaxBytes = 20'000'000;

class FakeWorld {
 public:
  FakeWorld() {
    disk_.max_bytes = kMaxBytes;
    Restart();
  }
  Spool& spool() { return *spool_; }
  void Restart() { spool_ = std::make_unique<testing::FakeSpool>(disk_); }
  // One bit of a chunk's data changes on the disk.
  void Flip(const StreamKey& key, std::uint64_t number) {
    disk_.streams.at(key).chunks.at(number).data[5] ^= 1;
  }

 private:
  testing::FakeSpoolDisk disk_;
  std::unique_ptr<testing::FakeSpool> spool_;
};

class SegmentWorld {
 public:
  SegmentWorld() { Restart(); }
  SegmentSpool& spool() { return *spool_; }
  void Restart() {
    spool_.reset();
    SegmentSpool::Options options;
    options.segment_bytes = 10'000;
    options.max_bytes = kMaxBytes;
    spool_ = SegmentSpool::Open(dir(), options).value();
  }
  void Close() { spool_.reset(); }
  void Flip(const StreamKey& key, std::uint64_t number) {
    for (const auto& entry : std::filesystem::directory_iterator(dir())) {
      if (!entry.path().filename().string().starts_with(key.digest.hex())) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      std::string bytes(std::istreambuf_iterator<char>(file), {});
      const std::string data(3000 + number, static_cast<char>('a' + number % 26));  // DataOf()
      const auto at = bytes.find(data);
      if (at == std::string::npos) continue;
      file.seekp(static_cast<std::streamoff>(at + 5));
      file.put(static_cast<char>(data[5] ^ 1));
    }
  }
  std::string dir() const { return dir_.path() + "/spool"; }
  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir())) ++count;
    return count;
  }

 private:
  testing::TempDir dir_;
  std::unique_ptr<SegmentSpool> spool_;
};

StreamKey Key(char name, std::uint32_t attempt = 1) {
  return {*Digest::From(std::string(32, name)), attempt};
}

std::string DataOf(std::uint64_t number) {
  return std::string(3000 + number, static_cast<char>('a' + number % 26));
}

Status Append(Spool& spool, const StreamKey& key, std::uint64_t number) {
  const std::string data = DataOf(number);
  return spool.Append(key, number, {number * 10'000, Crc32c(data)}, data);
}

template <typename World>
class SpoolSuite : public ::testing::Test {
 protected:
  World world_;
  Spool& spool() { return world_.spool(); }
  void Fill(const StreamKey& key, std::uint64_t chunks) {
    for (std::uint64_t i = 0; i < chunks; ++i) ASSERT_TRUE(Append(spool(), key, i).ok());
  }
};
using Worlds = ::testing::Types<FakeWorld, SegmentWorld>;
TYPED_TEST_SUITE(SpoolSuite, Worlds);

TYPED_TEST(SpoolSuite, GivesChunksBackInAnyOrderAlsoAfterARestart) {
  this->Fill(Key('a'), 20);
  for (const bool restarted : {false, true}) {
    if (restarted) this->world_.Restart();
    for (const std::uint64_t number : {19U, 0U, 7U}) {
      std::string data;
      const auto chunk = this->spool().Read(Key('a'), number, data);
      ASSERT_TRUE(chunk.ok()) << number;
      EXPECT_EQ(data, DataOf(number));
      EXPECT_EQ(chunk.value().offset, number * 10'000);
      EXPECT_EQ(chunk.value().crc32c, Crc32c(data));
    }
    std::string data;
    EXPECT_EQ(this->spool().Read(Key('a'), 20, data).error().code, Code::kNotFound);
    EXPECT_EQ(this->spool().Read(Key('b'), 0, data).error().code, Code::kNotFound);
  }
}

TYPED_TEST(SpoolSuite, ListsWhatItHoldsAfterARestart) {
  this->Fill(Key('a'), 9);
  this->Fill(Key('a', 2), 1);
  ASSERT_TRUE(Append(this->spool(), Key('b'), 5).ok());  // the first ones were acknowledged before
  this->world_.Restart();
  const auto streams = this->spool().Streams();
  ASSERT_EQ(streams.size(), 3U);
  EXPECT_EQ(streams[0].key, Key('a'));
  EXPECT_EQ(streams[0].end, 9U);
  ASSERT_EQ(streams[0].sizes.size(), 9U);
  EXPECT_EQ(streams[0].sizes[8], DataOf(8).size());
  EXPECT_EQ(streams[1].key, Key('a', 2));
  EXPECT_EQ(streams[2].first, 5U);
  EXPECT_EQ(streams[2].end, 6U);
}

TYPED_TEST(SpoolSuite, FreesRoomAsChunksAreForgottenButNeverLosesTheStream) {
  this->Fill(Key('a'), 40);
  const std::uint64_t before = this->spool().bytes();
  this->spool().Forget(Key('a'), 40);
  EXPECT_LT(this->spool().bytes(), before / 3);
  this->world_.Restart();
  ASSERT_EQ(this->spool().Streams().size(), 1U);
  EXPECT_EQ(this->spool().Streams()[0].end, 40U);
  ASSERT_TRUE(Append(this->spool(), Key('a'), 40).ok());
  this->spool().Remove(Key('a'));
  EXPECT_EQ(this->spool().bytes(), 0U);
  this->world_.Restart();
  EXPECT_TRUE(this->spool().Streams().empty());
}

TYPED_TEST(SpoolSuite, RefusesAboveItsBoundAndGoesOnBelowIt) {
  const std::string large(200'000, 'x');
  std::uint64_t number = 0;
  while (this->spool().Append(Key('a'), number, {0, Crc32c(large)}, large).ok()) ++number;
  EXPECT_LE(this->spool().bytes(), kMaxBytes);
  EXPECT_GT(this->spool().bytes(), kMaxBytes - 210'000);
  EXPECT_EQ(this->spool().Append(Key('a'), number, {0, 0}, large).error().code, Code::kExhausted);
  this->spool().Forget(Key('a'), number / 2);
  EXPECT_TRUE(this->spool().Append(Key('a'), number, {0, Crc32c(large)}, large).ok());
}

TYPED_TEST(SpoolSuite, SaysOfAChangedChunkThatItIsCorruptAndStillGivesTheOthers) {
  this->Fill(Key('a'), 9);
  this->world_.Flip(Key('a'), 4);
  for (const bool restarted : {false, true}) {
    if (restarted) this->world_.Restart();
    std::string data;
    EXPECT_EQ(this->spool().Read(Key('a'), 4, data).error().code, Code::kCorrupt);
    EXPECT_TRUE(this->spool().Read(Key('a'), 3, data).ok());
    EXPECT_TRUE(this->spool().Read(Key('a'), 5, data).ok());
  }
}

TYPED_TEST(SpoolSuite, SyncsWhatIsThereAndDoesNotMindWhatIsNot) {
  this->Fill(Key('a'), 5);
  EXPECT_TRUE(this->spool().Sync(Key('a')).ok());
  EXPECT_TRUE(this->spool().Sync(Key('z')).ok());
}

// The worked example of docs/decisions/0015-the-spool-is-segment-files.md.
TEST(SegmentSpoolTest, ReadsTheRecordThatTheDocumentationShows) {
  const auto bytes =
      FromHex("4846533105000000070000000000000023000000000000004cbb719a97f30612").value();
  const auto record = DecodeSpoolRecord(bytes);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->length, 5U);
  EXPECT_EQ(record->number, 7U);
  EXPECT_EQ(record->offset, 35U);
  EXPECT_EQ(record->crc32c, Crc32c("hello"));
}

TEST(SegmentSpoolTest, CutsATornTailOffAndKeepsTheRest) {
  SegmentWorld world;
  for (std::uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(Append(world.spool(), Key('a'), i).ok());
  const auto path = std::filesystem::directory_iterator(world.dir())->path();
  world.Close();
  const auto whole = std::filesystem::file_size(path);
  for (const std::uint64_t cut : {1U, 100U, 3002U, 3010U}) {
    std::filesystem::resize_file(path, whole - cut);
    world.Restart();
    ASSERT_EQ(world.spool().Streams().size(), 1U);
    EXPECT_EQ(world.spool().Streams()[0].end, 2U) << cut;
    EXPECT_GT(world.spool().dropped_bytes(), 0U);
    ASSERT_TRUE(Append(world.spool(), Key('a'), 2).ok());
    std::string data;
    EXPECT_TRUE(world.spool().Read(Key('a'), 2, data).ok());
    EXPECT_EQ(data, DataOf(2));
    world.Close();
  }
}

TEST(SegmentSpoolTest, CutsALastRecordWhoseDataDidNotReachTheDisk) {
  SegmentWorld world;
  for (std::uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(Append(world.spool(), Key('a'), i).ok());
  const auto path = std::filesystem::directory_iterator(world.dir())->path();
  world.Close();
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-100, std::ios::end);
    file.put('!');
  }
  world.Restart();
  EXPECT_EQ(world.spool().Streams()[0].end, 2U);
}

TEST(SegmentSpoolTest, DropsWhatLiesBehindAMissingSegment) {
  SegmentWorld world;
  for (std::uint64_t i = 0; i < 12; ++i) ASSERT_TRUE(Append(world.spool(), Key('a'), i).ok());
  ASSERT_EQ(world.files(), 3U);
  world.Close();
  for (const auto& entry : std::filesystem::directory_iterator(world.dir())) {
    if (entry.path().string().ends_with("-1-4.seg")) std::filesystem::remove(entry.path());
  }
  world.Restart();
  EXPECT_EQ(world.spool().Streams()[0].end, 4U);
  EXPECT_EQ(world.files(), 1U);
}

TEST(SegmentSpoolTest, RemovesStrangeFilesAndHalfFetchedBlobs) {
  SegmentWorld world;
  ASSERT_TRUE(world.spool().BlobBegin(Key('a').digest).ok());
  ASSERT_TRUE(world.spool().BlobAppend(Key('a').digest, "bytes").ok());
  EXPECT_EQ(std::filesystem::file_size(world.spool().BlobPath(Key('a').digest)), 5U);
  std::ofstream(world.dir() + "/stranger") << "x";
  world.Close();
  world.Restart();
  EXPECT_EQ(world.files(), 0U);
}

}  // namespace
}  // namespace holdfast::agent
