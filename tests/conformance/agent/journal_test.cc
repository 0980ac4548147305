#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/adapters/sqlite/sqlite_journal.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "tests/conformance/agent/journal_suite.h"
#include "tests/support/fake_journal.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

class FakeWorld final : public JournalWorld {
 public:
  FakeWorld() { Restart(); }
  Journal& journal() override { return *journal_; }
  void Restart() override { journal_ = std::make_unique<testing::FakeJournal>(disk_); }

 private:
  testing::FakeDisk disk_;
  std::unique_ptr<testing::FakeJournal> journal_;
};

class SqliteWorld final : public JournalWorld {
 public:
  SqliteWorld() { Restart(); }
  SqliteJournal& journal() override { return *journal_; }
  void Restart() override { Restart(WallTime(100)); }
  void Restart(WallTime now) {
    journal_.reset();
    auto opened = SqliteJournal::Open(*crypto_, path(), key_, now);
    if (!opened.ok()) ADD_FAILURE() << opened.error().message;
    journal_ = std::move(opened).value();
  }
  void Close() { journal_.reset(); }
  std::string path() const { return dir_.path() + "/journal.db"; }

 private:
  std::unique_ptr<sign::Crypto> crypto_ = NewMbedtlsCrypto();
  testing::TempDir dir_;
  MacKey key_ = *MacKey::From(std::string(32, 'k'));
  std::unique_ptr<SqliteJournal> journal_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, JournalSuite, FakeWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, JournalSuite, SqliteWorld);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

TEST(SqliteJournalTest, BeginsANewIncarnationWhenTheFileIsGone) {
  SqliteWorld world;
  const Nonce16 before = world.journal().meta().incarnation;
  world.Close();
  ASSERT_EQ(std::remove(world.path().c_str()), 0);
  world.Restart(WallTime(7000));
  EXPECT_EQ(world.journal().origin(), SqliteJournal::Origin::kMissing);
  EXPECT_NE(world.journal().meta().incarnation, before);
  EXPECT_EQ(world.journal().meta().birth, WallTime(7000));
  EXPECT_EQ(world.journal().meta().epoch, 7000U);
}

// What it finds in a WAL may never have reached the disk, after an fsync that failed; what it says of it and
// writes behind it must not depend on that.
TEST(SqliteJournalTest, HasAllThatItFoundInTheDatabaseFileOnceItIsOpen) {
  SqliteWorld running;
  ASSERT_TRUE(running.journal().Insert(SomeCommand('a'), WallTime(1)).ok());
  SqliteWorld next;
  next.Close();
  for (const char* suffix : {"", "-wal"}) {
    WriteFile(next.path() + suffix, ReadFile(running.path() + suffix));
  }
  next.Restart();
  ASSERT_EQ(next.journal().origin(), SqliteJournal::Origin::kFound);
  const std::string file = ReadFile(next.path());  // while it is open: closing would copy as well
  SqliteWorld bare;
  bare.Close();
  WriteFile(bare.path(), file);
  bare.Restart();
  EXPECT_EQ(bare.journal().origin(), SqliteJournal::Origin::kFound);
  EXPECT_EQ(bare.journal().Open().value().size(), 1U);
}

TEST(SqliteJournalTest, RefusesAJournalThatAnotherKeySealed) {
  SqliteWorld world;
  ASSERT_TRUE(world.journal().Insert(SomeCommand('a'), WallTime(1)).ok());
  const std::string path = world.path();
  world.Close();
  const auto crypto = NewMbedtlsCrypto();
  auto other = SqliteJournal::Open(*crypto, path, *MacKey::From(std::string(32, 'x')), WallTime(9));
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other.value()->origin(), SqliteJournal::Origin::kReplaced);
  EXPECT_TRUE(other.value()->Open().value().empty());
  EXPECT_FALSE(ReadFile(path + ".bad").empty());
}

// Flips bytes all over the file. Either nothing that matters changed, and every row is as it was, or a
// new incarnation begins: never a row that nobody wrote, never one that silently vanished.
TEST(SqliteJournalTest, NoticesEveryFlippedByteThatChangesARow) {
  SqliteWorld world;
  for (char name = 'a'; name < 'i'; ++name) {
    ASSERT_TRUE(world.journal().Insert(SomeCommand(name), WallTime(1)).ok());
  }
  world.Close();
  const std::string good = ReadFile(world.path());
  ASSERT_GT(good.size(), 4096U);
  std::mt19937 random(7);
  int replaced = 0;
  for (int i = 0; i < 150; ++i) {
    std::string bad = good;
    const std::size_t at = random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1U << (random() % 8)));
    for (const char* suffix : {"-wal", "-shm"}) std::remove((world.path() + suffix).c_str());
    WriteFile(world.path(), bad);
    world.Restart();
    if (world.journal().origin() == SqliteJournal::Origin::kReplaced) {
      ++replaced;
      EXPECT_TRUE(world.journal().Open().value().empty());
    } else {
      const auto open = world.journal().Open().value();
      ASSERT_EQ(open.size(), 8U) << "byte " << at;
      for (const auto& row : open) {
        EXPECT_EQ(row.envelope, SomeCommand(row.envelope.back()).envelope);
        EXPECT_TRUE(world.journal().FindId(row.command_id).value().has_value()) << "byte " << at;
      }
    }
    world.Close();
  }
  EXPECT_GT(replaced, 5);  // most bytes of a small file belong to nothing
}

// What it took for whole is whole, and stays so while it is written: also where nothing is sealed, as in the file's
// head and the schema.
TEST(SqliteJournalTest, WritesOnlyIntoAFileThatKeepsWhatIsWritten) {
  SqliteWorld world;
  for (char name = 'a'; name < 'd'; ++name) {
    ASSERT_TRUE(world.journal().Insert(SomeCommand(name), WallTime(1)).ok());
  }
  world.Close();
  const std::string good = ReadFile(world.path());
  const std::size_t schema = good.find("TABLE");
  ASSERT_LT(schema, 4096U);
  std::vector<std::size_t> bits;  // of the head, the schema, and anywhere
  for (std::size_t at = 0; at < 100; ++at) {
    bits.push_back(at * 8 + at % 8);
    bits.push_back(at * 8 + (at + 5) % 8);
  }
  for (std::size_t at = schema - 100; at < 4096; at += 3) bits.push_back(at * 8 + at % 8);
  const std::size_t type = good.find("INTEGER PRIMARY KEY", good.find("meta(one"));
  for (std::size_t at = type; at < type + 7; ++at) bits.push_back(at * 8 + 1);
  std::mt19937 random(7);
  for (int i = 0; i < 60; ++i) bits.push_back(random() % (good.size() * 8));
  int kept = 0;
  for (const std::size_t bit : bits) {
    SCOPED_TRACE("bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8));
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1U << (bit % 8)));
    WriteFile(world.path(), bad);
    world.Restart();
    if (world.journal().origin() == SqliteJournal::Origin::kFound) {
      ++kept;
      EXPECT_TRUE(world.journal().NextEpoch().ok());
      EXPECT_TRUE(world.journal().Insert(SomeCommand('z'), WallTime(1)).ok());
      EXPECT_TRUE(world.journal().SetForgotten(SomeCommand('b').digest).ok());
      world.Restart();
      EXPECT_EQ(world.journal().why_replaced(), "");
      EXPECT_EQ(world.journal().Open().value().size(), 3U);
    }
    world.Close();
  }
  EXPECT_GT(kept, 60);  // most bytes of a small file belong to nothing
}

// The files as a kill leaves them: everything was committed, nothing was folded back from the log.
struct KilledFiles {
  std::string db, wal, shm;
  explicit KilledFiles(const std::string& path)
      : db(ReadFile(path)), wal(ReadFile(path + "-wal")), shm(ReadFile(path + "-shm")) {}
  void PutBack(const std::string& path) const {
    WriteFile(path, db);
    WriteFile(path + "-wal", wal);
    WriteFile(path + "-shm", shm);
  }
};

// True: a new incarnation began. False: every commit is still there.
bool IsReplacedOrWhole(SqliteWorld& world) {
  world.Restart();
  if (world.journal().origin() == SqliteJournal::Origin::kReplaced) {
    EXPECT_TRUE(world.journal().Open().value().empty());
    return true;
  }
  const auto open = world.journal().Open().value();
  EXPECT_EQ(open.size(), 8U);
  for (const auto& row : open) EXPECT_EQ(row.state, CommandState::kStarted);
  return false;
}

KilledFiles KilledInTheMiddle(SqliteWorld& world) {
  for (char name = 'a'; name < 'i'; ++name) {
    EXPECT_TRUE(world.journal().Insert(SomeCommand(name), WallTime(1)).ok());
    EXPECT_TRUE(world.journal().SetStarted(SomeCommand(name).digest, 1, WallTime(5)).ok());
  }
  KilledFiles files(world.path());
  world.Close();
  EXPECT_GT(files.wal.size(), 8U * 4096);
  return files;
}

TEST(SqliteJournalTest, TakesALogThatAKillLeftAsItIs) {
  SqliteWorld world;
  const KilledFiles killed = KilledInTheMiddle(world);
  killed.PutBack(world.path());
  EXPECT_FALSE(IsReplacedOrWhole(world));
}

// Else the next to look into the journal takes itself for the first, and cuts the index that the agent has mapped.
TEST(SqliteJournalTest, KeepsItsLockOnTheIndexAfterALogThatAKillLeft) {
  SqliteWorld world;
  KilledInTheMiddle(world).PutBack(world.path());
  ASSERT_FALSE(IsReplacedOrWhole(world));
  const pid_t other = ::fork();  // one's own locks are never in one's way
  if (other == 0) {
    const int file = ::open((world.path() + "-shm").c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = 128;  // os_unix.c, UNIX_SHM_DMS
    lock.l_len = 1;
    ::_exit(::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
}

TEST(SqliteJournalTest, NoticesEveryFlippedBitOfTheLogThatTakesACommitAway) {
  SqliteWorld world;
  const KilledFiles killed = KilledInTheMiddle(world);
  std::mt19937 random(7);
  int replaced = 0;
  for (int i = 0; i < 150; ++i) {
    world.Close();
    KilledFiles bad = killed;
    const std::size_t at = i < 32 ? static_cast<std::size_t>(i) : random() % bad.wal.size();
    bad.wal[at] = static_cast<char>(bad.wal[at] ^ (1U << (random() % 8)));
    bad.PutBack(world.path());
    replaced += IsReplacedOrWhole(world) ? 1 : 0;
  }
  EXPECT_GT(replaced, 100);  // all of it is under SQLite's checksums
}

TEST(SqliteJournalTest, NoticesALogThatWasCutOrTaken) {
  SqliteWorld world;
  const KilledFiles killed = KilledInTheMiddle(world);
  for (const std::size_t left : {std::size_t{0}, std::size_t{31}, std::size_t{32},
                                 std::size_t{5000}, killed.wal.size() - 1}) {
    world.Close();
    KilledFiles cut = killed;
    cut.wal.resize(left);
    cut.PutBack(world.path());
    EXPECT_TRUE(IsReplacedOrWhole(world)) << left << " bytes are left";
  }
  world.Close();
  killed.PutBack(world.path());
  ASSERT_EQ(std::remove((world.path() + "-wal").c_str()), 0);
  EXPECT_TRUE(IsReplacedOrWhole(world));
}

// After a power cut the index on the disk may be older than the log, or not there.
TEST(SqliteJournalTest, AnIndexThatProvesNothingIsNoReasonToBeginAnew) {
  SqliteWorld world;
  const KilledFiles killed = KilledInTheMiddle(world);
  for (const std::size_t left : {std::size_t{0}, std::size_t{50}, killed.shm.size()}) {
    world.Close();
    KilledFiles old = killed;
    old.shm.resize(left);
    old.shm.replace(0, std::min(left, std::size_t{96}), std::min(left, std::size_t{96}), '\0');
    old.PutBack(world.path());
    EXPECT_FALSE(IsReplacedOrWhole(world)) << left;
  }
}

TEST(SqliteJournalTest, NoticesARowThatSomebodyTookOut) {
  SqliteWorld world;
  ASSERT_TRUE(world.journal().Insert(SomeCommand('a'), WallTime(1)).ok());
  ASSERT_TRUE(world.journal().Insert(SomeCommand('b'), WallTime(1)).ok());
  world.Close();
  {
    auto db = SqliteDb::Open(world.path(), SqliteDb::Mode::kReadWrite).value();
    ASSERT_TRUE(db->Execute("DELETE FROM commands WHERE number = 1").ok());
  }
  world.Restart();
  EXPECT_EQ(world.journal().why_replaced(), "rows are missing or out of place");
}

TEST(SqliteJournalTest, NoticesAnOlderCopyOfOneRow) {
  SqliteWorld world;
  ASSERT_TRUE(world.journal().Insert(SomeCommand('a'), WallTime(1)).ok());
  world.Close();
  WriteFile(world.path() + ".copy", ReadFile(world.path()));
  world.Restart();
  ASSERT_TRUE(world.journal().SetStarted(SomeCommand('a').digest, 1, WallTime(5)).ok());
  world.Close();
  {
    auto db = SqliteDb::Open(world.path(), SqliteDb::Mode::kReadWrite).value();
    ASSERT_TRUE(db->Execute(("ATTACH '" + world.path() +
                             ".copy' AS copy; DELETE FROM main.commands;"
                             "INSERT INTO main.commands SELECT * FROM copy.commands")
                                .c_str())
                    .ok());
  }
  world.Restart();
  EXPECT_EQ(world.journal().why_replaced(), "rows are missing or out of place");
}

TEST(SqliteJournalTest, RefusesWhatItCannotWriteAndGoesOnWhenItCan) {
  SqliteWorld world;
  ASSERT_TRUE(world.journal().Insert(SomeCommand('a'), WallTime(1)).ok());
  {
    // Another connection holds the write lock: the commit cannot happen.
    auto db = SqliteDb::Open(world.path(), SqliteDb::Mode::kReadWrite).value();
    ASSERT_TRUE(db->Execute("BEGIN IMMEDIATE").ok());
    EXPECT_EQ(world.journal().Insert(SomeCommand('b'), WallTime(1)).error().code,
              Code::kUnavailable);
    ASSERT_TRUE(db->Execute("ROLLBACK").ok());
  }
  EXPECT_TRUE(world.journal().is_trustworthy());
  EXPECT_FALSE(world.journal().Find(SomeCommand('b').digest).value().has_value());
  EXPECT_TRUE(world.journal().Insert(SomeCommand('c'), WallTime(1)).ok());
  world.Restart();
  EXPECT_EQ(world.journal().Open().value().size(), 2U);
}

TEST(SqliteJournalTest, IsWholeToWhoeverLooksWhileItIsWritten) {
  SqliteWorld world;
  const std::string path = world.path();
  const pid_t writer = ::fork();
  if (writer == 0) {
    world.Close();
    world.Restart();
    bool ok = true;
    for (int name = 0; name < 250; ++name) {
      ok = ok && world.journal().Insert(SomeCommand(static_cast<char>(name)), WallTime(1)).ok();
    }
    ::_exit(ok ? 0 : 1);
  }
  const auto crypto = NewMbedtlsCrypto();
  const MacKey key = *MacKey::From(std::string(32, 'k'));
  int looks = 0;
  int status = 0;
  for (; ::waitpid(writer, &status, WNOHANG) == 0; ++looks) {
    const auto seen = SqliteJournal::OpenReadOnly(*crypto, path, key);
    EXPECT_TRUE(seen.ok()) << seen.error().message;
  }
  EXPECT_EQ(status, 0);
  EXPECT_GT(looks, 5);
}

// journal_v0.sql is one that an agent of that schema wrote.
TEST(SqliteJournalTest, TakesOverAJournalOfTheSchemaBefore) {
  SqliteWorld world;
  world.Close();
  for (const char* suffix : {"", "-wal", "-shm"}) std::remove((world.path() + suffix).c_str());
  const std::string old = ReadFile(HOLDFAST_TESTS_DIR "/conformance/agent/journal_v0.sql");
  ASSERT_FALSE(old.empty());
  {
    auto db = SqliteDb::Open(world.path(), SqliteDb::Mode::kReadWrite).value();
    ASSERT_TRUE(db->Execute(old.c_str()).ok());
  }
  const auto crypto = NewMbedtlsCrypto();
  const MacKey key = *MacKey::From(std::string(32, 'k'));
  EXPECT_EQ(SqliteJournal::OpenReadOnly(*crypto, world.path(), key).error().code,
            Code::kUnavailable);  // looking must not convert it
  for (int i = 0; i < 2; ++i) {
    world.Restart();
    ASSERT_EQ(world.journal().origin(), SqliteJournal::Origin::kFound) << i;
    EXPECT_EQ(world.journal().meta().epoch, 101U);
    EXPECT_EQ(world.journal().meta().contact, *Nonce16::From(std::string(16, 'n')));
    EXPECT_EQ(world.journal().meta().time_floor, WallTime(900));
    EXPECT_FALSE(world.journal().meta().is_clean);
    const auto open = world.journal().Open().value();
    ASSERT_EQ(open.size(), 3U);
    EXPECT_EQ(open[0].state, CommandState::kReceived);
    EXPECT_EQ(open[0].envelope, SomeCommand('a').envelope);
    EXPECT_EQ(open[1].state, CommandState::kStarted);
    EXPECT_EQ(open[1].started_at, WallTime(1100));
    EXPECT_EQ(open[2].state, CommandState::kDone);
    EXPECT_EQ(open[2].result_envelope, "result");
    EXPECT_EQ(open[2].inline_output, "inline");
    for (const auto& row : open) EXPECT_EQ(row.recoveries, 0U);
    EXPECT_TRUE(world.journal().Find(SomeCommand('d').digest).value().has_value());
  }
  ASSERT_TRUE(world.journal().CountRecovery({{SomeCommand('b').digest}}).ok());
  world.Restart();
  EXPECT_EQ(world.journal().Open().value()[1].recoveries, 1U);
}

TEST(SqliteJournalTest, NoticesRecoveriesThatSomebodyTookBack) {
  SqliteWorld world;
  ASSERT_TRUE(world.journal().Insert(SomeCommand('a'), WallTime(1)).ok());
  ASSERT_TRUE(world.journal().CountRecovery({{SomeCommand('a').digest}}).ok());
  world.Close();
  {
    auto db = SqliteDb::Open(world.path(), SqliteDb::Mode::kReadWrite).value();
    ASSERT_TRUE(db->Execute("UPDATE commands SET recoveries = 0").ok());
  }
  world.Restart();
  EXPECT_EQ(world.journal().origin(), SqliteJournal::Origin::kReplaced);
}

}  // namespace
}  // namespace holdfast::agent
