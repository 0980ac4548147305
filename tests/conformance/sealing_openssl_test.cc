#include "common/adapters/mbedtls/mbedtls_sealing.h"
#include "common/adapters/openssl/openssl_sealing.h"
#include "tests/conformance/sealing_suite.h"

namespace holdfast::testing {

INSTANTIATE_TEST_SUITE_P(Openssl, SealingSuite, ::testing::Values(&NewOpensslSealing));

TEST(SealingsTest, OfBothAdaptersAreTheSame) {
  const auto agent = NewMbedtlsSealing();
  const auto tool = NewOpensslSealing();
  const auto ours = agent->NewKey().value();
  const auto theirs = tool->NewKey().value();
  const auto secret = ours->Agree(theirs->public_key()).value();
  EXPECT_EQ(secret, theirs->Agree(ours->public_key()).value());
  const auto key = *sign::SealKey::From(secret.view().substr(0, sign::SealKey::kSize));
  for (std::size_t size = 0; size < 100; size += 7) {
    const std::string text(size, 't');
    EXPECT_EQ(agent->Seal(key, size, text).value(), tool->Seal(key, size, text).value());
  }
}

}  // namespace holdfast::testing
