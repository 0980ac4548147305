#include "common/sign/update.h"

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"
#include "common/sign/strict.h"
#include "common/sign/version.h"
#include "tests/support/update_papers.h"

namespace holdfast::sign {
namespace {

using holdfast::testing::kHourMs;
using holdfast::testing::kNowMs;
using holdfast::testing::TestFleet;
using holdfast::testing::UpdatePapers;
namespace pb = ::holdfast::command::v1;

class UpdateTest : public ::testing::Test {
 protected:
  Result<pb::UpdateRoot> Root(const std::string& envelope, std::uint64_t now = kNowMs) const {
    return VerifyUpdateRoot(*crypto_, trust_, envelope, WallTime(now));
  }
  Result<pb::Release> Verified(const std::string& envelope, std::uint64_t now = kNowMs) const {
    return VerifyRelease(*crypto_, papers_.GoodRoot(), envelope, WallTime(now));
  }
  const std::unique_ptr<Crypto> crypto_ = NewOpensslCrypto();
  const TestFleet fleet_{*crypto_};
  const UpdatePapers papers_{*crypto_, fleet_};
  const TrustedPolicy trust_ = fleet_.Trust(fleet_.GoodPolicy());
};

TEST_F(UpdateTest, TakesARootThatAsManyOfTheFleetsRootsSignedAsThePolicyAsksFor) {
  EXPECT_TRUE(Root(papers_.Sign(papers_.GoodRoot())).ok());
}

TEST_F(UpdateTest, RefusesARootOfTooFewSignatures) {
  const std::string payload = papers_.GoodRoot().SerializeAsString();
  const auto one = Root(papers_.SignBy({&fleet_.roots[0]}, kUpdateRootType, payload));
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.error().code, Code::kDenied);
  EXPECT_FALSE(
      Root(papers_.SignBy({&fleet_.roots[0], &papers_.keys[0]}, kUpdateRootType, payload)).ok());
}

TEST_F(UpdateTest, AnIssuerAndTheUpdateKeysThemselvesMakeNoRoot) {
  const std::string payload = papers_.GoodRoot().SerializeAsString();
  EXPECT_FALSE(
      Root(papers_.SignBy({&papers_.keys[0], &papers_.keys[1], &papers_.keys[2], &fleet_.issuer},
                          kUpdateRootType, payload))
          .ok());
}

TEST_F(UpdateTest, RefusesARootOfAnotherFleetAndOneThatIsOver) {
  auto root = papers_.GoodRoot();
  root.set_fleet_id(std::string(16, 'x'));
  EXPECT_FALSE(Root(papers_.Sign(root)).ok());
  const auto late = Root(papers_.Sign(papers_.GoodRoot()), kNowMs + 101 * kHourMs);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::kExpired);
}

TEST_F(UpdateTest, RefusesWhatOtherTypesOfTheSameSignersSay) {
  const std::string payload = papers_.GoodRoot().SerializeAsString();
  EXPECT_FALSE(
      Root(papers_.SignBy({&fleet_.roots[0], &fleet_.roots[1]}, kPolicyType, payload)).ok());
}

TEST_F(UpdateTest, TakesAReleaseOfTheThresholdOfUpdateKeysAndNoFewer) {
  EXPECT_TRUE(Verified(papers_.Sign(papers_.GoodRelease())).ok());
  const std::string payload = papers_.GoodRelease().SerializeAsString();
  EXPECT_FALSE(Verified(papers_.SignBy({&papers_.keys[0]}, kReleaseType, payload)).ok());
  EXPECT_FALSE(Verified(papers_.SignBy({&papers_.keys[0], &fleet_.roots[0], &fleet_.roots[1]},
                                       kReleaseType, payload))
                   .ok());
}

TEST_F(UpdateTest, RefusesAReleaseThatIsOverOrChanged) {
  EXPECT_EQ(Verified(papers_.Sign(papers_.GoodRelease()), kNowMs + 51 * kHourMs).error().code,
            Code::kExpired);
  auto other = papers_.GoodRelease();
  other.set_version("9.2.0");
  pb::Envelope changed;
  ASSERT_TRUE(changed.ParseFromString(papers_.Sign(papers_.GoodRelease())));
  changed.set_payload(other.SerializeAsString());
  EXPECT_FALSE(Verified(changed.SerializeAsString()).ok());
}

TEST_F(UpdateTest, ReleasesHaveOneMeaning) {
  const auto parses = [](const pb::Release& release) {
    return ParseRelease(release.SerializeAsString()).ok();
  };
  auto release = papers_.GoodRelease();
  EXPECT_TRUE(parses(release));
  *release.add_files() = release.files(0);
  EXPECT_FALSE(parses(release)) << "an architecture twice";
  for (const char* version : {"", "0.2.", "1.2.3.4.5", "v1", "0.2.0-rc1", "12345678901"}) {
    release = papers_.GoodRelease();
    release.set_version(version);
    EXPECT_FALSE(parses(release)) << version;
  }
  release = papers_.GoodRelease();
  release.set_floor("0.3");
  EXPECT_FALSE(parses(release)) << "a floor above the release";
  release = papers_.GoodRelease();
  release.mutable_files(0)->set_size(0);
  EXPECT_FALSE(parses(release));
  release.mutable_files(0)->set_size((std::uint64_t{64} << 20) + 1);
  EXPECT_FALSE(parses(release));
  release = papers_.GoodRelease();
  EXPECT_FALSE(ParseRelease(release.SerializeAsString() + release.SerializeAsString()).ok());
  release.clear_files();
  EXPECT_FALSE(parses(release));
}

TEST(VersionTest, ComparesNumbersNotText) {
  EXPECT_TRUE(IsOlder("0.9.0", "0.10.0"));
  EXPECT_TRUE(IsOlder("0.2", "0.2.1"));
  EXPECT_FALSE(IsOlder("0.2", "0.2.0"));
  EXPECT_FALSE(IsOlder("0.2.0", "0.2"));
  EXPECT_TRUE(IsOlder("999999999.1", "999999999.2"));
  EXPECT_TRUE(IsOlder("", "0.0.1"));
}

}  // namespace
}  // namespace holdfast::sign
