// The fleet's directory on a real file system: made, read back, protected, renewed.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/sdk/files.h"
#include "backend/sdk/init_fleet.h"
#include "backend/sdk/key_file.h"
#include "backend/sdk/operator_cert.h"
#include "backend/sdk/partial_file.h"
#include "backend/sdk/pending_store.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::sdk {
namespace {

namespace fs = std::filesystem;
constexpr WallTime kToday(1'790'000'000'000);
constexpr std::uint64_t kHourMs = 3'600'000;

class FleetDirectoryTest : public ::testing::Test {
 protected:
  FleetDirectoryTest() {
    std::string name = (fs::temp_directory_path() / "holdfast-fleet-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    scratch_ = name;
  }

 public:
  ~FleetDirectoryTest() override { fs::remove_all(scratch_); }

 protected:
  Result<NewFleet> Init(InitOptions options = {}) {
    if (options.dir.empty()) options.dir = dir();
    return InitFleet(*crypto_, options, kToday);
  }
  std::string dir() const { return scratch_ + "/fleet"; }
  Fleet Loaded() const { return LoadFleet(dir()).value(); }
  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777;
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  std::string scratch_;
};

TEST_F(FleetDirectoryTest, WhatIsMadeIsWhatIsRead) {
  const auto made = Init({.server = "wss://hf.example:8443", .name = "lab \"one\" \\ zwei"});
  ASSERT_TRUE(made.ok()) << made.error().message;
  const Fleet fleet = Loaded();
  EXPECT_EQ(fleet.toml.id, made.value().toml.id);
  EXPECT_EQ(fleet.toml.name, "lab \"one\" \\ zwei");
  EXPECT_EQ(fleet.toml.servers, std::vector<std::string>{"wss://hf.example:8443"});
  EXPECT_EQ(fleet.toml.api, "wss://localhost:8444");
  EXPECT_NE(fleet.ca_pem.find("BEGIN CERTIFICATE"), std::string::npos);
}

TEST_F(FleetDirectoryTest, NobodyElseReachesTheToolsPortUnlessAnOptionSaysSo) {
  struct Case {
    std::string server, api, listens, dialled;
    bool open;
  };
  const std::vector<Case> cases = {
      {"wss://hf.example:8443", "", "127.0.0.1:8444", "wss://localhost:8444", false},
      {"ws://192.0.2.7:8443", "", "127.0.0.1:8444", "ws://localhost:8444", false},
      {"wss://127.0.0.1:8443", "", "127.0.0.1:8444", "wss://127.0.0.1:8444", false},
      {"wss://hf.example:1", "wss://localhost:2", "127.0.0.1:2", "wss://localhost:2", false},
      {"wss://hf.example:1", "wss://hf.example:2", "0.0.0.0:2", "wss://hf.example:2", true}};
  for (const Case& one : cases) {
    const auto made = Init({.server = one.server, .api = one.api});
    ASSERT_TRUE(made.ok()) << made.error().message;
    EXPECT_EQ(made.value().toml.api, one.dialled);
    EXPECT_EQ(made.value().api_is_open, one.open);
    const std::string config = ReadFile(FleetPaths{dir()}.holdfastd_toml(), 65536).value();
    EXPECT_NE(config.find("[api]\nlisten = \"" + one.listens + "\""), std::string::npos) << config;
    fs::remove_all(dir());
  }
}

TEST_F(FleetDirectoryTest, ThePolicyIsSignedByItsRootsAndAllowsWhatIsDocumented) {
  ASSERT_TRUE(Init().ok());
  const auto trust = LoadPolicy(*crypto_, Loaded(), kToday);
  ASSERT_TRUE(trust.ok()) << trust.error().message;
  EXPECT_EQ(trust.value().policy.root_keys_size(), 3);
  EXPECT_EQ(trust.value().policy.root_threshold(), 2U);
  ASSERT_EQ(trust.value().policy.classes_size(), 5);
  EXPECT_EQ(trust.value().policy.classes(0).class_id(), "read");
  EXPECT_EQ(trust.value().policy.classes(0).verbs_size(), 12);
  EXPECT_EQ(trust.value().policy.classes(1).verbs_size(), 14);
  EXPECT_EQ(trust.value().policy.classes(2).class_id(), "update");
  EXPECT_EQ(trust.value().policy.classes(3).class_id(), "shell");
  EXPECT_EQ(trust.value().policy.classes(3).verbs_size(), 25);  // read and act: collect is in both
  EXPECT_EQ(trust.value().policy.classes(4).class_id(), "pty");
  EXPECT_EQ(trust.value().policy.classes(4).verbs_size(), 1);
  for (const int live : {3, 4}) EXPECT_EQ(trust.value().policy.classes(live).max_targets(), 1U);
}

TEST_F(FleetDirectoryTest, TheFirstOperatorsCertificateHoldsForTwelveHours) {
  ASSERT_TRUE(Init().ok());
  const auto trust = LoadPolicy(*crypto_, Loaded(), kToday);
  const auto who = LoadOperator(*crypto_, Loaded(), "default");
  ASSERT_TRUE(who.ok()) << who.error().message;
  EXPECT_TRUE(sign::VerifyCert(*crypto_, trust.value(), who.value().cert_envelope, kToday).ok());
  EXPECT_EQ(who.value().cert.not_after_ms(), kToday.get() + 12 * kHourMs);
}

TEST_F(FleetDirectoryTest, SecretsAreForTheirOwnerAlone) {
  ASSERT_TRUE(Init().ok());
  const FleetPaths paths{dir()};
  EXPECT_EQ(ModeOf(dir()), 0700U);
  for (const auto& path : {paths.root_key(1), paths.root_key(3), paths.issuer_key(),
                           paths.operator_key("default"), paths.ca_key(), paths.server_key()}) {
    EXPECT_EQ(ModeOf(path), 0600U) << path;
  }
  for (const auto& entry : fs::recursive_directory_iterator(dir())) {
    if (!entry.is_directory()) continue;
    EXPECT_EQ(ModeOf(entry.path().string()), 0700U) << entry.path();
  }
}

TEST_F(FleetDirectoryTest, AFleetThatIsThereIsNeverTouched) {
  ASSERT_TRUE(Init().ok());
  const FleetId before = Loaded().toml.id;
  EXPECT_EQ(Init().error().code, Code::kExists);
  EXPECT_EQ(Loaded().toml.id, before);
  const std::string full = scratch_ + "/full";
  fs::create_directory(full);
  std::ofstream(full + "/something") << "x";
  EXPECT_EQ(Init({.dir = full}).error().code, Code::kExists);
  EXPECT_EQ(std::distance(fs::directory_iterator(full), fs::directory_iterator()), 1);
}

TEST_F(FleetDirectoryTest, AnEmptyDirectoryThatIsThereIsUsed) {
  fs::create_directory(dir());
  ASSERT_TRUE(Init().ok());
  EXPECT_TRUE(LoadFleet(dir()).ok());
}

TEST_F(FleetDirectoryTest, WrongOptionsLeaveNothingBehind) {
  EXPECT_FALSE(Init({.server = "https://x:1"}).ok());
  EXPECT_FALSE(Init({.server = "wss://x"}).ok());
  EXPECT_FALSE(Init({.roots = 9}).ok());
  EXPECT_FALSE(Init({.roots = 2, .threshold = 3}).ok());
  EXPECT_FALSE(Init({.server = "wss://x:1", .api = "ws://x:2"}).ok());
  EXPECT_FALSE(Init({.name = "two\nlines"}).ok());
  EXPECT_TRUE(fs::is_empty(scratch_));
}

TEST_F(FleetDirectoryTest, ACertificateNearItsEndIsRenewedWhereTheIssuerIs) {
  ASSERT_TRUE(Init().ok());
  const auto fresh = EnsureOperator(*crypto_, Loaded(), "default", Duration(0), kToday);
  ASSERT_TRUE(fresh.ok());
  EXPECT_FALSE(fresh.value().renewed);
  const WallTime late(kToday.get() + 12 * kHourMs - 60'000);
  const auto renewed = EnsureOperator(*crypto_, Loaded(), "default", Duration(0), late);
  ASSERT_TRUE(renewed.ok()) << renewed.error().message;
  EXPECT_TRUE(renewed.value().renewed);
  EXPECT_EQ(renewed.value().who.cert.not_after_ms(), late.get() + 12 * kHourMs);
  EXPECT_FALSE(EnsureOperator(*crypto_, Loaded(), "default", Duration(0), late).value().renewed);
}

TEST_F(FleetDirectoryTest, ACommandThatMustWaitLongGetsACertificateThatLastsAsLong) {
  ASSERT_TRUE(Init().ok());
  const auto ready = EnsureOperator(*crypto_, Loaded(), "default", std::chrono::hours(23), kToday);
  ASSERT_TRUE(ready.ok());
  EXPECT_TRUE(ready.value().renewed);
  EXPECT_GE(ready.value().who.cert.not_after_ms(), kToday.get() + 23 * kHourMs);
  EXPECT_LE(ready.value().who.cert.not_after_ms(), kToday.get() + 24 * kHourMs);
}

TEST_F(FleetDirectoryTest, WithoutTheIssuerAnEndedCertificateIsAClearError) {
  ASSERT_TRUE(Init().ok());
  fs::remove(FleetPaths{dir()}.issuer_key());
  const WallTime near_end(kToday.get() + 12 * kHourMs - 60'000);
  EXPECT_TRUE(EnsureOperator(*crypto_, Loaded(), "default", Duration(0), near_end).ok());
  const auto ended = EnsureOperator(*crypto_, Loaded(), "default", Duration(0),
                                    WallTime(kToday.get() + 13 * kHourMs));
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code, Code::kExpired);
  EXPECT_NE(ended.error().message.find("holdfast --dir DIR operator renew default"),
            std::string::npos);
}

TEST_F(FleetDirectoryTest, AKeyThatOthersMayReadIsRefused) {
  ASSERT_TRUE(Init().ok());
  const std::string key = FleetPaths{dir()}.operator_key("default");
  ASSERT_EQ(::chmod(key.c_str(), 0640), 0);
  const auto who = LoadOperator(*crypto_, Loaded(), "default");
  ASSERT_FALSE(who.ok());
  EXPECT_EQ(who.error().code, Code::kDenied);
  EXPECT_NE(who.error().message.find("chmod 600"), std::string::npos);
}

TEST_F(FleetDirectoryTest, AKeyIsOnlyTakenForItsRole) {
  ASSERT_TRUE(Init().ok());
  const FleetPaths paths{dir()};
  EXPECT_TRUE(LoadKeyFile(*crypto_, paths.root_key(1), kRootRole).ok());
  EXPECT_EQ(LoadKeyFile(*crypto_, paths.root_key(1), kOperatorRole).error().code, Code::kDenied);
  ASSERT_TRUE(WriteFile(paths.root_key(1), "HOLDFAST-KEY-v1 root AAAA\n", kSecretMode).ok());
  EXPECT_EQ(LoadKeyFile(*crypto_, paths.root_key(1), kRootRole).error().code, Code::kCorrupt);
}

TEST_F(FleetDirectoryTest, ACertificateOfAnotherKeyIsRefused) {
  ASSERT_TRUE(Init().ok());
  ASSERT_TRUE(IssueOperator(*crypto_, Loaded(), "bob", kOperatorCertTtl, kToday).ok());
  const FleetPaths paths{dir()};
  fs::copy_file(paths.operator_cert("bob"), paths.operator_cert("default"),
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(LoadOperator(*crypto_, Loaded(), "default").error().code, Code::kDenied);
  EXPECT_EQ(ListOperators(Loaded()).value(), (std::vector<std::string>{"bob", "default"}));
}

TEST_F(FleetDirectoryTest, ARenewedCertificateHasTheClassesOfTheOneBefore) {
  ASSERT_TRUE(Init().ok());
  const auto classes_of = [](const ::holdfast::command::v1::OperatorCert& cert) {
    return std::vector<std::string>(cert.classes().begin(), cert.classes().end());
  };
  using Classes = std::vector<std::string>;
  const auto bob =
      IssueOperator(*crypto_, Loaded(), "bob", kOperatorCertTtl, kToday, {"pty", "read"});
  EXPECT_EQ(classes_of(bob.value().cert), (Classes{"read", "pty"}));  // in the policy's order
  const WallTime later(kToday.get() + 11 * 3'600'000 + 3'000'000);
  const auto ready = EnsureOperator(*crypto_, Loaded(), "bob", Duration(0), later);
  ASSERT_TRUE(ready.value().renewed);
  EXPECT_EQ(ready.value().who.classes.size(), 5U);  // whose limits it signs
  EXPECT_EQ(classes_of(ready.value().who.cert), (Classes{"read", "pty"}));
  EXPECT_EQ(
      classes_of(RenewOperator(*crypto_, Loaded(), "new", kOperatorCertTtl, kToday).value().cert),
      (Classes{"read", "act", "update", "shell", "pty"}));
  const auto wrong = IssueOperator(*crypto_, Loaded(), "eve", kOperatorCertTtl, kToday, {"all"});
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
  EXPECT_FALSE(Exists(FleetPaths{dir()}.operator_key("eve")));  // nothing was made
}

TEST_F(FleetDirectoryTest, ACertificateThatCannotBeReadIsNotRenewedWithEveryClass) {
  ASSERT_TRUE(Init().ok());
  ASSERT_TRUE(IssueOperator(*crypto_, Loaded(), "bob", kOperatorCertTtl, kToday, {"read"}).ok());
  ASSERT_TRUE(WriteFile(FleetPaths{dir()}.operator_cert("bob"), "damaged", kPlainMode).ok());
  EXPECT_FALSE(RenewOperator(*crypto_, Loaded(), "bob", kOperatorCertTtl, kToday).ok());
  EXPECT_FALSE(EnsureOperator(*crypto_, Loaded(), "bob", Duration(0), kToday).ok());
}

TEST_F(FleetDirectoryTest, OperatorsAreCalledLikePeopleNotLikePaths) {
  ASSERT_TRUE(Init().ok());
  for (const char* name : {"", "../x", ".hidden", "a/b", "a b", "-x"}) {
    EXPECT_EQ(IssueOperator(*crypto_, Loaded(), name, kOperatorCertTtl, kToday).error().code,
              Code::kInvalid)
        << name;
  }
  EXPECT_TRUE(IsOperatorName("alice@example.org"));
}

TEST_F(FleetDirectoryTest, AProfileNamesAFleetAndTheStrongestWordWins) {
  const std::string config = scratch_ + "/config.toml";
  std::ofstream(config) << "default = \"lab\"\n[profiles.lab]\ndir = \"/srv/lab\"\n"
                        << "[profiles.prod]\ndir = \"/srv/prod\"\n";
  EXPECT_EQ(FindFleetDir({{}, {}, "", config}).value(), "/srv/lab");
  EXPECT_EQ(FindFleetDir({{}, {}, "/env", config}).value(), "/env");
  EXPECT_EQ(FindFleetDir({{}, "prod", "/env", config}).value(), "/srv/prod");
  EXPECT_EQ(FindFleetDir({"/dir", "prod", "/env", config}).value(), "/dir");
  EXPECT_EQ(FindFleetDir({{}, "nope", "", config}).error().code, Code::kNotFound);
  EXPECT_EQ(FindFleetDir({{}, {}, "", scratch_ + "/none"}).error().code, Code::kNotFound);
}

TEST_F(FleetDirectoryTest, SignedCommandsStayUntilTheirFateIsKnown) {
  ASSERT_TRUE(Init().ok());
  const auto who = LoadOperator(*crypto_, Loaded(), "default").value();
  SignRequest request;
  request.fleet_id = Loaded().toml.id;
  request.targets = {AgentId::From(std::string(16, 'a')).value()};
  request.now = kToday;
  const PendingStore store(FleetPaths{dir()}.pending());
  EXPECT_TRUE(store.List(*crypto_).value().empty());
  const auto read = SignCommand(*crypto_, who, Verb::Ps(), request).value();
  const auto act = SignCommand(*crypto_, who, Verb::Kill({99}, 9).value(), request).value();
  ASSERT_TRUE(store.Add(read).ok());
  ASSERT_TRUE(store.Add(act).ok());
  std::ofstream(FleetPaths{dir()}.pending() + "/notes.txt") << "no command";
  std::ofstream(FleetPaths{dir()}.pending() + "/00ff.command") << "no command either";
  const auto listed = store.List(*crypto_);
  ASSERT_TRUE(listed.ok());
  ASSERT_EQ(listed.value().size(), 2U);
  for (const auto& command : listed.value()) {
    const auto& same = command.digest == read.digest ? read : act;
    EXPECT_EQ(command.envelope, same.envelope) << "the same bytes, not a new signature";
    EXPECT_EQ(command.cert_envelope, same.cert_envelope);
    EXPECT_EQ(command.not_after, same.not_after);
  }
  ASSERT_TRUE(store.Remove(read.digest).ok());
  ASSERT_TRUE(store.Remove(read.digest).ok()) << "twice is fine";
  EXPECT_EQ(store.List(*crypto_).value().size(), 1U);
}

TEST_F(FleetDirectoryTest, AFileIsThereWholeOrNotAtAll) {
  const std::string path = scratch_ + "/host/evidence";
  {
    auto file = PartialFile::Create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file.value()->Append("half").ok());
  }
  EXPECT_TRUE(fs::is_empty(scratch_ + "/host"));
  auto file = PartialFile::Create(path);
  ASSERT_TRUE(file.value()->Append("wrong run").ok());
  ASSERT_TRUE(file.value()->Restart().ok());
  ASSERT_TRUE(file.value()->Append("right").ok());
  EXPECT_EQ(file.value()->Commit(PartialFile::IfThere::kNumber).value(), path);
  EXPECT_EQ(ReadFile(path, 100).value(), "right");
  EXPECT_EQ(ModeOf(path), 0600U);
  auto second = PartialFile::Create(path);
  ASSERT_TRUE(second.value()->Append("other").ok());
  EXPECT_EQ(second.value()->Commit(PartialFile::IfThere::kNumber).value(), path + ".2");
  EXPECT_EQ(ReadFile(path, 100).value(), "right") << "evidence is not overwritten";
  auto third = PartialFile::Create(path);
  EXPECT_EQ(third.value()->Commit(PartialFile::IfThere::kReplace).value(), path);
  EXPECT_EQ(ReadFile(path, 100).value(), "");
}

TEST_F(FleetDirectoryTest, AFileMayHaveTheLongestNameThatAnEndpointCanGiveIt) {
  const std::string path = scratch_ + "/" + std::string(255, 'n');  // NAME_MAX
  auto file = PartialFile::Create(path);
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_TRUE(file.value()->Append("evidence").ok());
  EXPECT_EQ(file.value()->Commit(PartialFile::IfThere::kNumber).value(), path);
}

}  // namespace
}  // namespace holdfast::sdk
