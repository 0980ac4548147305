#include <openssl/err.h>

#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "tests/conformance/crypto_suite.h"

namespace holdfast::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(Openssl, CryptoSuite, ::testing::Values(&NewOpensslCrypto));

TEST(OpensslCryptoTest, LeavesNoErrorBehindThatTlsWouldTakeForItsOwn) {
  const auto crypto = NewOpensslCrypto();
  PublicKey not_a_point = FromHexOrDie<PublicKey>(kRfcPublic);
  not_a_point.data()[40] ^= 1;
  const auto signature = FromHexOrDie<Signature>(kRfcTest);
  EXPECT_FALSE(crypto->Verify(not_a_point, Digest{}, signature).ok());
  EXPECT_FALSE(crypto->LoadKey(std::string(32, '\0')).ok());
  EXPECT_EQ(ERR_peek_error(), 0U);
}

void ExpectTheOtherVerifies(const sign::Crypto& signer, const sign::Crypto& verifier) {
  for (int i = 0; i < 25; ++i) {
    const auto made = signer.GenerateKey();
    ASSERT_TRUE(made.ok());
    const auto loaded = verifier.LoadKey(made.value()->secret_for_storage());
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded.value()->public_key(), made.value()->public_key());
    const Digest digest = signer.Sha256(std::to_string(i));
    EXPECT_EQ(verifier.Sha256(std::to_string(i)), digest);
    const auto signature = made.value()->Sign(digest);
    ASSERT_TRUE(signature.ok());
    EXPECT_TRUE(verifier.Verify(made.value()->public_key(), digest, signature.value()).ok());
    Digest other = digest;
    other.data()[0] ^= 1;
    EXPECT_FALSE(verifier.Verify(made.value()->public_key(), other, signature.value()).ok());
  }
}

TEST(TwoCryptosTest, OneVerifiesWhatTheOtherSigned) {
  const auto mbedtls = NewMbedtlsCrypto();
  const auto openssl = NewOpensslCrypto();
  ExpectTheOtherVerifies(*mbedtls, *openssl);
  ExpectTheOtherVerifies(*openssl, *mbedtls);
}

}  // namespace
}  // namespace holdfast::testing
