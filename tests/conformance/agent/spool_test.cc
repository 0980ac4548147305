// One suite for the Spool port, on the fake and on segment files; then what only files can suffer.
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/linux/segment_spool.h"
#include "agent/adapters/linux/spool_record.h"
#include "agent/core/limits.h"
#include "common/base/crc32c.h"
#include "tests/support/fake_spool.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

constexpr std::uint64_t kMaxBytes = 20'000'000;

// What a disk keeps when the power goes: of each file what was there at its last good sync, of the
// directory the names at its own. A sync that fails marks the file's pages clean, as Linux does: later ones
// of the same file succeed and save nothing of what was written before.
class ForgetfulDisk {
 public:
  int fail_next = 0;      // syncs of files
  int fail_next_dir = 0;  // syncs of the directory

  int SyncFile(int fd) {
    File& file = Find(fd);
    if (fail_next > 0) {
      --fail_next;
      file.is_lying = true;
      errno = EIO;
      return -1;
    }
    if (!file.is_lying) file.durable = Contents(fd);
    return 0;
  }
  int SyncDir(const std::string& dir) {
    if (fail_next_dir > 0) {
      --fail_next_dir;
      lost_names_ = Names(dir);
      errno = EIO;
      return -1;
    }
    for (const auto& [name, inode] : Names(dir)) {
      // A name that a failed sync has lost stays lost until it is given to another file.
      if (!lost_names_.contains(name) || lost_names_.at(name) != inode) names_[name] = inode;
    }
    std::erase_if(names_, [&](const auto& entry) { return !Names(dir).contains(entry.first); });
    return 0;
  }
  void PowerCut(const std::string& dir) {
    for (const auto& [name, inode] : Names(dir)) std::filesystem::remove(dir + "/" + name);
    for (const auto& [name, inode] : names_) {
      std::ofstream(dir + "/" + name, std::ios::binary) << files_[inode].durable;
    }
    files_.clear();
    lost_names_.clear();
  }

 private:
  struct File {
    UniqueFd keeps_inode;  // its number is not given to another file meanwhile
    std::string durable;
    bool is_lying = false;
  };
  static std::map<std::string, ino_t> Names(const std::string& dir) {
    std::map<std::string, ino_t> out;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      struct stat facts {};
      ::stat(entry.path().c_str(), &facts);
      out[entry.path().filename()] = facts.st_ino;
    }
    return out;
  }
  static std::string Contents(int fd) {
    struct stat facts {};
    ::fstat(fd, &facts);
    std::string out(static_cast<std::size_t>(facts.st_size), '\0');
    EXPECT_EQ(::pread(fd, out.data(), out.size(), 0), facts.st_size);
    return out;
  }
  File& Find(int fd) {
    struct stat facts {};
    ::fstat(fd, &facts);
    File& file = files_[facts.st_ino];
    if (!file.keeps_inode.is_open()) file.keeps_inode.Reset(::dup(fd));
    return file;
  }
  std::map<ino_t, File> files_;
  std::map<std::string, ino_t> names_;
  std::map<std::string, ino_t> lost_names_;
};

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
  void FailSyncs(int files, int dirs) { disk_.fail_syncs = files + dirs; }
  void PowerCut() {
    disk_.PowerCut();
    Restart();
  }
  void FillDisk(bool is_full) { disk_.is_full = is_full; }

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
    options.sync_file = [this](int fd) { return disk_.SyncFile(fd); };
    options.sync_dir = [this](int) { return disk_.SyncDir(dir()); };
    options.space = [this](int) { return DiskSpace{std::uint64_t{1} << 40, free_bytes}; };
    spool_ = SegmentSpool::Open(dir(), options).value();
  }
  void Close() { spool_.reset(); }
  void FailSyncs(int files, int dirs) {
    disk_.fail_next = files;
    disk_.fail_next_dir = dirs;
  }
  void PowerCut() {
    Close();
    disk_.PowerCut(dir());
    Restart();
  }
  void FillDisk(bool is_full) { free_bytes = is_full ? 0 : std::uint64_t{1} << 30; }
  std::uint64_t free_bytes = std::uint64_t{1} << 30;
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
  ForgetfulDisk disk_;
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

// The second fsync of a file whose first one failed succeeds and lies.
TYPED_TEST(SpoolSuite, HasOnTheDiskWhatASyncThatSucceededCovers) {
  for (const auto& [files, dirs] : {std::pair(0, 0), {1, 0}, {2, 0}, {5, 0}, {0, 1}, {1, 2}}) {
    this->Fill(Key('a'), 9);  // three files
    this->world_.FailSyncs(files, dirs);
    int tries = 1;
    while (!this->spool().Sync(Key('a')).ok()) ASSERT_LT(++tries, 10);
    this->Fill(Key('b'), 2);  // not synced: may go
    this->world_.PowerCut();
    ASSERT_GE(this->spool().Streams().size(), 1U);
    ASSERT_EQ(this->spool().Streams()[0].key, Key('a'));
    ASSERT_EQ(this->spool().Streams()[0].end, 9U) << files << " " << dirs;
    std::string data;
    for (std::uint64_t i = 0; i < 9; ++i) {
      ASSERT_TRUE(this->spool().Read(Key('a'), i, data).ok()) << i;
      EXPECT_EQ(data, DataOf(i));
    }
    ASSERT_TRUE(Append(this->spool(), Key('a'), 9).ok());
    this->spool().Remove(Key('a'));
    this->spool().Remove(Key('b'));
  }
}

TYPED_TEST(SpoolSuite, HasNoRoomWhileOthersFillTheDiskAndHasItAgainWhenTheyLeave) {
  EXPECT_EQ(this->spool().room(), Spool::Room::kEnough);
  EXPECT_FALSE(this->spool().full());
  this->world_.FillDisk(true);
  EXPECT_EQ(this->spool().room(), Spool::Room::kDiskLow);
  ASSERT_TRUE(this->spool().BlobBegin(Key('a').digest).ok());
  EXPECT_EQ(this->spool().BlobAppend(Key('a').digest, "bytes").error().code, Code::kExhausted);
  this->world_.FillDisk(false);
  EXPECT_EQ(this->spool().room(), Spool::Room::kEnough);
  EXPECT_FALSE(this->spool().full());
  EXPECT_TRUE(this->spool().BlobAppend(Key('a').digest, "bytes").ok());
}

TEST(SpaceFloorTest, IsATwentiethOfTheDiskWithinWhatTheJournalNeedsAndWhatNobodyMisses) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  EXPECT_EQ(SpaceFloor(20 * kMiB), 4 * kMiB);
  EXPECT_EQ(SpaceFloor(200 * kMiB), 10 * kMiB);
  EXPECT_EQ(SpaceFloor(kMiB << 20), 64 * kMiB);
}

// What cannot be read any more cannot be saved: said once and for all, and not taken for durable.
TEST(SegmentSpoolTest, SaysThatOutputIsLostWhichItCanNeitherSyncNorReadAgain) {
  SegmentWorld world;
  for (std::uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(Append(world.spool(), Key('a'), i).ok());
  world.Flip(Key('a'), 1);
  world.FailSyncs(1, 0);
  EXPECT_EQ(world.spool().Sync(Key('a')).error().code, Code::kCorrupt);
  EXPECT_EQ(world.spool().Sync(Key('a')).error().code, Code::kCorrupt);
}

TEST(SegmentSpoolTest, NoticesWhileItWritesThatTheDiskGetsFull) {
  SegmentWorld world;
  EXPECT_FALSE(world.spool().full());
  world.FillDisk(true);
  const std::string data(200'000, 'x');
  for (std::uint64_t i = 0; i < 6; ++i) {
    ASSERT_TRUE(world.spool().Append(Key('a'), i, {0, Crc32c(data)}, data).ok());
  }
  EXPECT_TRUE(world.spool().full());
}

// A worker that prints single bytes: a file of 4 MiB would hold 127,000 of them, one of 256 MiB 8 million.
TEST(SegmentSpoolTest, BoundsHowManyRecordsAFileKeepsThatControlHasAlready) {
  testing::TempDir dir;
  SegmentSpool::Options options;
  options.max_bytes = kMaxBytes;
  const auto open = [&] { return SegmentSpool::Open(dir.path() + "/spool", options).value(); };
  auto spool = open();
  constexpr std::uint64_t kCount = 3 * kMaxUnackedRecords;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(spool->Append(Key('a'), i, {i, Crc32c("x")}, "x").ok());
  }
  spool->Forget(Key('a'), kCount - 10);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      spool.reset();
      spool = open();
    }
    ASSERT_EQ(spool->Streams().size(), 1U);
    EXPECT_EQ(spool->Streams()[0].end, kCount);
    EXPECT_LE(spool->Streams()[0].sizes.size(), kMaxUnackedRecords);
  }
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
