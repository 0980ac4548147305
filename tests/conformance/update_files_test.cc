// Update keys, update roots and releases on a real file system: made on several machines, and checked as endpoints do.
#include "backend/sdk/update_files.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "backend/sdk/files.h"
#include "backend/sdk/init_fleet.h"
#include "backend/sdk/operator_cert.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::sdk {
namespace {

constexpr WallTime kDay(1'790'000'000'000);

class UpdateFilesTest : public ::testing::Test {
 protected:
  UpdateFilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-update-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    scratch_ = name;
    InitOptions options;
    options.dir = scratch_ + "/fleet";
    EXPECT_TRUE(InitFleet(*crypto_, options, kDay).ok());
    fleet_ = LoadFleet(options.dir).value();
    trust_ = LoadPolicy(*crypto_, fleet_, kDay).value();
    for (const char* name_of : {"/a", "/b"}) {
      EXPECT_TRUE(MakeUpdateKey(*crypto_, scratch_ + name_of).ok());
    }
    EXPECT_TRUE(WriteFile(scratch_ + "/program", "bytes of a program", kPlainMode).ok());
  }
  ~UpdateFilesTest() override { std::filesystem::remove_all(scratch_); }

  Result<MadeUpdateRoot> MakeRoot(int threshold, std::vector<std::string> sign_with = {}) {
    UpdateRootOptions options;
    options.public_keys = {scratch_ + "/a.pub", scratch_ + "/b.pub"};
    options.threshold = threshold;
    options.sign_with = std::move(sign_with);
    return MakeUpdateRoot(*crypto_, fleet_, options, kDay);
  }
  Result<::holdfast::command::v1::Release> MakeOne(std::vector<std::string> sign_with) {
    return MakeRelease(*crypto_,
                       {scratch_ + "/release",
                        "0.2.0",
                        "",
                        {{"amd64", scratch_ + "/program"}},
                        std::move(sign_with),
                        kReleaseLife},
                       kDay);
  }
  Result<LoadedRelease> Load(std::uint64_t later_ms = 0) {
    return LoadRelease(*crypto_, fleet_, trust_, scratch_ + "/release",
                       WallTime(kDay.get() + later_ms));
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  std::string scratch_;
  Fleet fleet_;
  sign::TrustedPolicy trust_;
};

TEST_F(UpdateFilesTest, WhatIsMadeAndSignedIsWhatIsTaken) {
  ASSERT_TRUE(MakeRoot(1).ok());
  ASSERT_TRUE(MakeOne({scratch_ + "/a"}).ok());
  const auto loaded = Load();
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded.value().release.version(), "0.2.0");
  EXPECT_EQ(loaded.value().root.version(), 1U);
  struct stat info {};
  ASSERT_EQ(::stat((scratch_ + "/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(UpdateFilesTest, AKeyIsNeverWrittenOver) {
  const auto again = MakeUpdateKey(*crypto_, scratch_ + "/a");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::kExists);
}

TEST_F(UpdateFilesTest, TwoWhoMustAgreeSignOneAfterTheOther) {
  ASSERT_TRUE(MakeRoot(2).ok());
  ASSERT_TRUE(MakeOne({scratch_ + "/a"}).ok());
  EXPECT_FALSE(Load().ok());
  const std::string path = scratch_ + "/release/release.env";
  EXPECT_FALSE(AddSignatureTo(*crypto_, path, scratch_ + "/a").ok()) << "the same once more";
  const auto count = AddSignatureTo(*crypto_, path, scratch_ + "/b");
  ASSERT_TRUE(count.ok()) << count.error().message;
  EXPECT_EQ(count.value(), 2);
  EXPECT_TRUE(Load().ok());
}

TEST_F(UpdateFilesTest, RootKeysThatLieOnDifferentMachinesSignOneAfterTheOther) {
  ASSERT_TRUE(MakeRoot(1, {fleet_.paths.root_key(1)}).ok());
  ASSERT_TRUE(MakeOne({scratch_ + "/b"}).ok());
  EXPECT_FALSE(Load().ok()) << "the policy asks for two roots";
  ASSERT_TRUE(AddSignatureTo(*crypto_, fleet_.paths.update_root(), fleet_.paths.root_key(3)).ok());
  EXPECT_TRUE(Load().ok());
}

TEST_F(UpdateFilesTest, AnUpdateKeySignsNoRootAndARootKeyNoRelease) {
  EXPECT_FALSE(MakeRoot(1, {scratch_ + "/a"}).ok());
  EXPECT_FALSE(MakeOne({fleet_.paths.root_key(1)}).ok());
}

TEST_F(UpdateFilesTest, TheNextRootHasTheNextVersion) {
  ASSERT_TRUE(MakeRoot(1).ok());
  const auto next = MakeRoot(2);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next.value().root.version(), 2U);
}

TEST_F(UpdateFilesTest, AProgramThatIsNotTheOneThatWasSignedIsNoticedBeforeItIsSent) {
  ASSERT_TRUE(MakeRoot(1).ok());
  ASSERT_TRUE(MakeOne({scratch_ + "/a"}).ok());
  ASSERT_TRUE(
      WriteFile(scratch_ + "/release/holdfast-agent-amd64", "bytes of a virus!!", 0755).ok());
  const auto loaded = Load();
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, Code::kCorrupt);
}

TEST_F(UpdateFilesTest, PapersEnd) {
  ASSERT_TRUE(MakeRoot(1).ok());
  ASSERT_TRUE(MakeOne({scratch_ + "/a"}).ok());
  constexpr std::uint64_t kDayMs = 24 * 3'600'000;
  EXPECT_EQ(Load(91 * kDayMs).error().code, Code::kExpired);
  EXPECT_EQ(Load(366 * kDayMs).error().code, Code::kExpired);
}

TEST_F(UpdateFilesTest, WordsThatMakeNoSenseAreRefused) {
  EXPECT_FALSE(MakeRoot(3).ok());
  EXPECT_FALSE(MakeRoot(0).ok());
  UpdateRootOptions twice;
  twice.public_keys = {scratch_ + "/a.pub", scratch_ + "/a.pub"};
  EXPECT_FALSE(MakeUpdateRoot(*crypto_, fleet_, twice, kDay).ok());
  EXPECT_FALSE(ReadPublicKey(scratch_ + "/a").ok()) << "the secret half";
  EXPECT_FALSE(MakeOne({}).ok());
  EXPECT_EQ(Load().error().code, Code::kNotFound) << "no update root yet";
}

}  // namespace
}  // namespace holdfast::sdk
