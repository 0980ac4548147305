#include "backend/sdk/verbs.h"

#include <gtest/gtest.h>

#include "backend/sdk/server_url.h"
#include "backend/sdk/sign_command.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sdk {
namespace {

::holdfast::command::v1::FindArgs FindIn(const std::string& path) {
  ::holdfast::command::v1::FindArgs args;
  args.set_path(path);
  return args;
}

TEST(VerbTest, ReadingMayRunTwiceAndActingMayNot) {
  for (const auto& verb :
       {Verb::Query("SELECT 1").value(), Verb::Ls("/", false, false).value(),
        Verb::Stat({"/a"}).value(), Verb::Cat("/a", 0, 0).value(), Verb::Hash({"/a"}).value(),
        Verb::Get("/a").value(), Verb::Ps(), Verb::Find(FindIn("/")).value(),
        Verb::Tail("/a", 10, false).value(), Verb::Archive({"/a"}).value()}) {
    EXPECT_EQ(verb.class_id, "read");
    EXPECT_TRUE(verb.command.idempotent());
    EXPECT_EQ(verb.ttl, kQueuedTtl);
  }
  for (const auto& verb :
       {Verb::Exec({{"true"}, "", {}, ""}).value(), Verb::Kill({2}, 15).value(),
        Verb::Put({"/a", 0644, false, Digest(), 1}).value(), Verb::Mkdir("/a", 0755, false).value(),
        Verb::Cp({"/a", "/b", false, false}).value(), Verb::Mv({"/a", "/b", false, false}).value(),
        Verb::Rm({"/a"}, false).value(),
        Verb::Run({{}, "", "tool", "", {}, Digest(), 1}).value()}) {
    EXPECT_EQ(verb.class_id, "act");
    EXPECT_FALSE(verb.command.idempotent());
    EXPECT_EQ(verb.ttl, kActTtl);
  }
}

TEST(VerbTest, ArgumentsThatAnEndpointWouldRefuseAreRefusedHere) {
  EXPECT_FALSE(Verb::Query("").ok());
  EXPECT_FALSE(Verb::Query(" ;\n").ok());
  EXPECT_FALSE(Verb::Query(std::string(40'000, 'x')).ok());
  EXPECT_FALSE(Verb::Ls("relative", false, false).ok());
  EXPECT_FALSE(Verb::Get("").ok());
  EXPECT_FALSE(Verb::Cat("/" + std::string(5000, 'x'), 0, 0).ok());
  EXPECT_FALSE(Verb::Stat({}).ok());
  EXPECT_FALSE(Verb::Hash(std::vector<std::string>(65, "/x")).ok());
  EXPECT_FALSE(Verb::Exec({{}, "", {}, ""}).ok());
  EXPECT_FALSE(Verb::Exec({{"true"}, "relative", {}, ""}).ok());
  EXPECT_FALSE(Verb::Exec({{"true"}, "", {"novalue"}, ""}).ok());
  EXPECT_FALSE(Verb::Exec({{"true"}, "", {}, std::string(17 * 1024, 'x')}).ok());
  EXPECT_FALSE(Verb::Kill({1}, 15).ok()) << "init";
  EXPECT_FALSE(Verb::Kill({-5}, 15).ok()) << "a process group";
  EXPECT_FALSE(Verb::Kill({2}, 32).ok());
  EXPECT_FALSE(Verb::Put({"/a", 0100644, false, Digest(), 1}).ok());
}

TEST(VerbTest, WhatIsFollowedIsNotFollowedAgainWhenNobodyLooksAnyMore) {
  EXPECT_FALSE(Verb::Tail("/a", 10, true).value().command.idempotent());
}

TEST(VerbTest, WhatFindCannotLookForIsRefusedHere) {
  EXPECT_FALSE(Verb::Find(FindIn("relative")).ok());
  const auto refused = [](auto&& set) {
    auto args = FindIn("/");
    set(args);
    return !Verb::Find(args).ok();
  };
  EXPECT_TRUE(refused([](auto& args) { args.set_name("a/b"); }));
  EXPECT_TRUE(refused([](auto& args) { args.set_iname(std::string(256, 'x')); }));
  EXPECT_TRUE(refused([](auto& args) { args.set_regex(std::string(1025, 'x')); }));
  EXPECT_TRUE(refused([](auto& args) { args.set_types("file"); }));
  EXPECT_TRUE(refused([](auto& args) { args.set_perm_all(010000); }));
  EXPECT_TRUE(refused([](auto& args) {
    args.set_min_size(2);
    args.set_below_size(2);
  }));
  EXPECT_TRUE(refused([](auto& args) {
    args.set_mtime_from(2);
    args.set_mtime_before(1);
  }));
  EXPECT_TRUE(refused([](auto& args) {
    args.set_content("a");
    args.set_content_regex("a");
  }));
  EXPECT_FALSE(refused([](auto& args) { args.set_types("fl"); }));
}

TEST(VerbTest, WhatChangesFilesAndRunsProgramsIsCheckedHere) {
  EXPECT_FALSE(Verb::Cp({"a", "/b", false, false}).ok());
  EXPECT_FALSE(Verb::Mv({"/a", "b", false, false}).ok());
  EXPECT_FALSE(Verb::Rm({}, true).ok());
  EXPECT_FALSE(Verb::Mkdir("/a", 010000, false).ok());
  EXPECT_FALSE(Verb::Tail("/a", 100'001, false).ok());
  EXPECT_FALSE(Verb::Archive({}).ok());
  EXPECT_FALSE(Verb::Run({{}, "sh", "x", "", {}, Digest(), 1}).ok()) << "no absolute path";
  EXPECT_FALSE(Verb::Run({{}, "", "a/b", "", {}, Digest(), 1}).ok());
  EXPECT_FALSE(Verb::Run({{}, "", "x", "", {"NO"}, Digest(), 1}).ok());
}

TEST(VerbTest, WhatTakesMemoryOrTrafficActs) {
  ::holdfast::command::v1::MemdumpArgs dump;
  EXPECT_FALSE(Verb::Memdump(dump).ok()) << "no process";
  dump.set_pid(2);
  EXPECT_EQ(Verb::Memdump(dump).value().class_id, "act");
  dump.add_ranges(5);
  dump.add_ranges(5);
  EXPECT_FALSE(Verb::Memdump(dump).ok());
  dump.clear_ranges();
  dump.set_permissions("q");
  EXPECT_FALSE(Verb::Memdump(dump).ok());
  ::holdfast::command::v1::CaptureArgs capture;
  EXPECT_EQ(Verb::Capture(capture).value().class_id, "act");
  capture.set_promiscuous(true);
  EXPECT_FALSE(Verb::Capture(capture).ok());
  capture.set_interface("eth0");
  EXPECT_TRUE(Verb::Capture(capture).ok());
  capture.set_interface("a-name-of-16-byt");
  EXPECT_FALSE(Verb::Capture(capture).ok());
  Verb::ScanArgs scan;
  EXPECT_FALSE(Verb::Scan(scan).ok()) << "nothing to scan";
  scan.processes = true;
  EXPECT_EQ(Verb::Scan(scan).value().class_id, "act");
  scan.pids = {1};
  EXPECT_FALSE(Verb::Scan(scan).ok());
  scan.pids = {2};
  scan.paths = {"relative"};
  EXPECT_FALSE(Verb::Scan(scan).ok());
  EXPECT_EQ(Verb::TailJournal({}).value().class_id, "read");
  EXPECT_FALSE(Verb::TailJournal({.unit = std::string(256, 'u')}).ok());
}

TEST(VerbTest, AnArgvMayHoldAnyBytesButNotNothing) {
  const auto verb = Verb::Exec({{"printf", "%s", "", "--", "\xff"}, "/", {"A=b"}, "in"});
  ASSERT_TRUE(verb.ok());
  EXPECT_EQ(verb.value().command.exec().argv_size(), 5);
}

TEST(VerbTest, AnIsolationHasATimeAndNetworksInTheirOneForm) {
  const auto verb = Verb::Isolate(std::chrono::hours(4), {"10.1.2.3/8", "10.0.0.5:22"});
  ASSERT_TRUE(verb.ok());
  EXPECT_TRUE(verb.value().acts());
  EXPECT_TRUE(verb.value().command.idempotent());
  EXPECT_EQ(verb.value().command.isolate().duration_ms(), 14'400'000U);
  EXPECT_EQ(verb.value().command.isolate().allow(0), "10.0.0.0/8");
  EXPECT_EQ(verb.value().command.isolate().allow(1), "[10.0.0.5/32]:22");
  EXPECT_FALSE(Verb::Isolate(std::chrono::minutes(4), {}).ok());
  EXPECT_FALSE(Verb::Isolate(std::chrono::hours(24 * 30 + 1), {}).ok());
  EXPECT_FALSE(Verb::Isolate(std::chrono::hours(4), {"web01"}).ok());
  EXPECT_FALSE(Verb::Isolate(std::chrono::hours(4), std::vector<std::string>(33, "10.0.0.1")).ok());
  EXPECT_TRUE(Verb::Release().acts());
}

class SignCommandTest : public testing::Test {
 protected:
  SignCommandTest() {
    who_.key = crypto_->GenerateKey().value();
    who_.cert.set_serial(std::string(16, 's'));
    who_.cert.set_not_after_ms(50'000'000);
    request_.targets = {AgentId::From(std::string(16, 'a')).value()};
    request_.now = WallTime(1'000'000);
  }
  ::holdfast::command::v1::Command Signed(const SignedCommand& command) {
    const auto envelope = sign::ParseEnvelope(command.envelope, sign::kCommandType);
    EXPECT_TRUE(sign::VerifySignedBy(*crypto_, envelope.value(), who_.key->public_key()).ok());
    return sign::ParseCommand(envelope.value().payload()).value();
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  Operator who_;
  SignRequest request_;
};

TEST_F(SignCommandTest, WhatIsSignedParsesStrictlyAndHasTheDigestThatNamesIt) {
  const auto command = SignCommand(*crypto_, who_, Verb::Query("SELECT 1").value(), request_);
  ASSERT_TRUE(command.ok());
  const auto signed_command = Signed(command.value());
  EXPECT_EQ(signed_command.query().sql(), "SELECT 1");
  EXPECT_EQ(signed_command.operator_serial(), who_.cert.serial());
  const auto envelope = sign::ParseEnvelope(command.value().envelope, sign::kCommandType);
  EXPECT_EQ(sign::EnvelopeDigest(*crypto_, sign::kCommandType, envelope.value().payload()),
            command.value().digest);
}

TEST_F(SignCommandTest, ACommandNeverOutlivesItsCertificate) {
  const auto command = SignCommand(*crypto_, who_, Verb::Query("SELECT 1").value(), request_);
  EXPECT_EQ(Signed(command.value()).not_after_ms(), 50'000'000U);
  request_.ttl = Duration(5000);
  const auto shorter = SignCommand(*crypto_, who_, Verb::Query("SELECT 1").value(), request_);
  EXPECT_EQ(Signed(shorter.value()).not_after_ms(), 1'005'000U);
}

TEST_F(SignCommandTest, TwoSignaturesOfOneVerbAreTwoCommands) {
  const auto one = SignCommand(*crypto_, who_, Verb::Ps(), request_);
  const auto two = SignCommand(*crypto_, who_, Verb::Ps(), request_);
  EXPECT_NE(one.value().digest, two.value().digest);
}

TEST_F(SignCommandTest, NobodyAndTooManyAreRefused) {
  request_.targets.clear();
  EXPECT_FALSE(SignCommand(*crypto_, who_, Verb::Ps(), request_).ok());
  request_.targets.assign(1001, AgentId());
  EXPECT_FALSE(SignCommand(*crypto_, who_, Verb::Ps(), request_).ok());
}

TEST(ServerUrlTest, ComesApartAndTogether) {
  for (const char* text : {"wss://localhost:8443", "ws://10.0.0.1:80", "wss://[::1]:8443"}) {
    const auto url = ServerUrl::Parse(text);
    ASSERT_TRUE(url.ok()) << text;
    EXPECT_EQ(url.value().str(), text);
  }
  for (const char* text :
       {"", "wss://", "https://a:1", "wss://a", "wss://a:0", "wss://a:70000", "wss://a:1/x",
        "wss://a b:1", "wss://::1:5", "wss://[::1]", "wss://:5"}) {
    EXPECT_FALSE(ServerUrl::Parse(text).ok()) << text;
  }
}

TEST(VerbsTest, APtyIsAClassOfItsOwnAndNeverRunsTwice) {
  Verb::PtyArgs args;
  args.operator_key.data()[0] = 4;
  args.term = "xterm";
  const auto verb = Verb::Pty(args).value();
  EXPECT_EQ(verb.class_id, "pty");
  EXPECT_FALSE(verb.command.idempotent());
  EXPECT_TRUE(verb.acts());
  EXPECT_EQ(verb.command.pty().operator_key(), args.operator_key.view());
  args.columns = 1001;
  EXPECT_FALSE(Verb::Pty(args).ok());
  args.columns = 80;
  args.rows = 0;
  EXPECT_FALSE(Verb::Pty(args).ok());
}

}  // namespace
}  // namespace holdfast::sdk
