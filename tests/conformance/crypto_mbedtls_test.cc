#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "tests/conformance/crypto_suite.h"

namespace holdfast::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(Mbedtls, CryptoSuite, ::testing::Values(&NewMbedtlsCrypto));

TEST(MbedtlsCryptoTest, SignsDeterministicallyAsTheStandardDoes) {
  const auto crypto = NewMbedtlsCrypto();
  const auto key = crypto->LoadKey(FromHex(kRfcSecret).value());
  EXPECT_EQ(key.value()->Sign(crypto->Sha256("test")).value(), FromHexOrDie<Signature>(kRfcTest));
  EXPECT_EQ(key.value()->Sign(crypto->Sha256("sample")).value(),
            sign::ToLowS(FromHexOrDie<Signature>(kRfcSampleHighS)));
}

}  // namespace
}  // namespace holdfast::testing
