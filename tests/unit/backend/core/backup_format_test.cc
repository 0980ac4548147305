#include "backend/core/backup_format.h"

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

BackupMember RoundTrip(const BackupMember& member) {
  const auto header = TarHeader(member, 1'700'000'000);
  EXPECT_TRUE(header.ok());
  EXPECT_EQ(header.value().size(), kTarBlockBytes);
  const auto parsed = ParseTarHeader(header.value());
  EXPECT_TRUE(parsed.ok());
  return parsed.ok() && parsed.value() ? *parsed.value() : BackupMember{};
}

TEST(BackupTarTest, GivesBackNamesAndSizesOfEveryLength) {
  const std::string long_name =
      "state/" + std::string(60, 'a') + "/" + std::string(60, 'b') + "/" + std::string(90, 'c');
  for (const std::string& name : {std::string("MANIFEST"), std::string(100, 'x'), long_name}) {
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{511}, std::uint64_t{1} << 32,
          (std::uint64_t{1} << 33) - 1, std::uint64_t{1} << 33, std::uint64_t{1} << 40}) {
      const BackupMember out = RoundTrip({name, size});
      EXPECT_EQ(out.name, name);
      EXPECT_EQ(out.size, size);
    }
  }
}

// What `tar` itself writes and reads: the offsets and the sum as POSIX has them.
TEST(BackupTarTest, IsTheFormatOfTar) {
  const std::string block = TarHeader({"a/b", 10}, 8).value();
  EXPECT_EQ(block.substr(0, 4), std::string("a/b\0", 4));
  EXPECT_EQ(block.substr(124, 12), std::string("00000000012\0", 12));
  EXPECT_EQ(block.substr(136, 12), std::string("00000000010\0", 12));
  EXPECT_EQ(block.substr(257, 8), std::string("ustar\00000", 8));
  EXPECT_EQ(TarPadding(0), 0U);
  EXPECT_EQ(TarPadding(1), 511U);
  EXPECT_EQ(TarPadding(512), 0U);
}

TEST(BackupTarTest, RefusesNamesThatLeaveTheDirectory) {
  for (const char* name :
       {"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a/.", "a\nb"}) {
    EXPECT_FALSE(IsMemberName(name)) << name;
    EXPECT_FALSE(TarHeader({name, 0}, 0).ok()) << name;
  }
  EXPECT_TRUE(IsMemberName("server/..hidden/a b"));
  EXPECT_FALSE(IsMemberName(std::string(256, 'x')));
  EXPECT_FALSE(TarHeader({std::string(200, 'x'), 0}, 0).ok());  // no place to cut it
}

TEST(BackupTarTest, RefusesWhatNoBackupHolds) {
  const std::string good = TarHeader({"a", 1}, 0).value();
  EXPECT_FALSE(ParseTarHeader(good.substr(1)).ok());
  for (const std::size_t at : {std::size_t{0}, std::size_t{124}, std::size_t{150}, std::size_t{156},
                               std::size_t{257}, std::size_t{511}}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(ParseTarHeader(bad).ok()) << at;
  }
  const auto end = ParseTarHeader(std::string(kTarBlockBytes, '\0'));
  ASSERT_TRUE(end.ok());
  EXPECT_FALSE(end.value());
}

TEST(BackupHeadTest, IsReadAsItWasWritten) {
  BackupHead head;
  head.version = "0.1.0";
  head.schema = 3;
  head.fleet_id = *FleetId::From(std::string(16, 'f'));
  head.made_ms = 1'796'000'000'123;
  const auto out = ParseHead(FormatHead(head));
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out.value().version, "0.1.0");
  EXPECT_EQ(out.value().schema, 3U);
  EXPECT_EQ(out.value().fleet_id, head.fleet_id);
  EXPECT_EQ(out.value().made_ms, head.made_ms);
}

TEST(BackupHeadTest, NamesTheVersionThatWroteALaterFormat) {
  const auto later = ParseHead("format 2\nversion 9.1.0\nsomething else\n");
  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().code, Code::kUnsupported);
  EXPECT_NE(later.error().message.find("9.1.0"), std::string::npos);
  for (const char* text : {"", "format 0\n", "format x\n", "format 1\nversion \n", "format 1\n"}) {
    const auto bad = ParseHead(text);
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().code, Code::kCorrupt) << text;
  }
}

TEST(BackupTarTest, KnowsTheFilesOfAStateByTheirNames) {
  const std::string hash = "ab" + std::string(62, '0');
  for (const std::string& name :
       {std::string("state/ledger.db"), "state/results/incoming/" + std::string(32, 'f'),
        "state/results/ab/" + hash, "state/blobs/ab/" + hash}) {
    EXPECT_TRUE(IsStateMember(name)) << name;
  }
  for (const std::string& name : std::vector<std::string>{
           "state/ledger.db-wal", "state/run/lock", "state/", "ledger.db", "state/results/" + hash,
           "state/results/ac/" + hash, "state/results/ab/" + hash + "0",
           "state/results/AB/AB" + hash.substr(2), "state/blobs/incoming/" + std::string(32, 'f'),
           "state/results/incoming/x", "state/redis/ab/" + hash}) {
    EXPECT_FALSE(IsStateMember(name)) << name;
  }
}

class ManifestTest : public ::testing::Test {
 protected:
  static MemberSum Sum(std::uint64_t size, char fill) {
    return {size, *Digest::From(std::string(32, fill))};
  }
  Manifest members_ = {{"a", Sum(1, 'a')}, {"b/c", Sum(2, 'b')}};
  std::string lines_ = FormatManifest(members_);
  std::string text_ = lines_ + ManifestSeal(*Digest::From(std::string(32, 's')));
};

TEST_F(ManifestTest, IsReadAsItWasWritten) {
  const auto out = ParseManifest(text_);
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out.value().members, members_);
  EXPECT_EQ(out.value().sealed, lines_);
  EXPECT_EQ(out.value().seal.str(), std::string(32, 's'));
}

TEST_F(ManifestTest, MustEndWithItsSeal) {
  EXPECT_FALSE(ParseManifest(lines_).ok());
  EXPECT_FALSE(ParseManifest(text_ + "x").ok());
  EXPECT_FALSE(ParseManifest(text_ + text_).ok());
  EXPECT_FALSE(ParseManifest(text_.substr(0, text_.size() - 1)).ok());
  EXPECT_FALSE(ParseManifest(lines_ + text_).ok());  // twice the same name
  EXPECT_FALSE(ParseManifest("").ok());
}

TEST_F(ManifestTest, SaysWhatIsDifferent) {
  EXPECT_EQ(Difference(members_, members_), "");
  Manifest other = members_;
  other["a"].size = 2;
  EXPECT_EQ(Difference(members_, other), "a is not what was backed up");
  other = members_;
  other.erase("b/c");
  EXPECT_EQ(Difference(members_, other), "b/c is missing");
  EXPECT_EQ(Difference(other, members_), "b/c does not belong to it");
}

}  // namespace
}  // namespace holdfast::backend
