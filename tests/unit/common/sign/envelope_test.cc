#include "common/sign/envelope.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::sign {
namespace {

class EnvelopeTest : public ::testing::Test {
 protected:
  std::string Signed(std::string_view payload = "payload") {
    return SignEnvelope(*crypto_, *key_, kResultType, payload).value();
  }

  const std::unique_ptr<Crypto> crypto_ = NewOpensslCrypto();
  const std::unique_ptr<SigningKey> key_ = crypto_->GenerateKey().value();
  const std::unique_ptr<SigningKey> other_ = crypto_->GenerateKey().value();
};

TEST_F(EnvelopeTest, TheDigestIsTheHashOfExactlyTheLaidOutBytes) {
  const std::string tbs = std::string("HOLDFAST-SIG-v1\0", 16) + std::string("\0\x12", 2) +
                          "holdfast.result.v1" + std::string("\0\0\0\x03", 4) + "abc";
  EXPECT_EQ(EnvelopeDigest(*crypto_, kResultType, "abc"), crypto_->Sha256(tbs));
}

TEST_F(EnvelopeTest, VerifiesWhatWasSignedAndGivesItsDigest) {
  const auto envelope = ParseEnvelope(Signed(), kResultType);
  ASSERT_TRUE(envelope.ok()) << envelope.error().message;
  EXPECT_EQ(envelope.value().payload(), "payload");
  EXPECT_EQ(VerifySignedBy(*crypto_, envelope.value(), key_->public_key()).value(),
            EnvelopeDigest(*crypto_, kResultType, "payload"));
}

TEST_F(EnvelopeTest, RefusesAnotherKeyAnotherPayloadAndAnotherType) {
  Envelope envelope = ParseEnvelope(Signed(), kResultType).value();
  const auto code = [&](const PublicKey& key) {
    return VerifySignedBy(*crypto_, envelope, key).error().code;
  };
  EXPECT_EQ(code(other_->public_key()), Code::kDenied);
  envelope.set_payload("payloae");
  EXPECT_EQ(code(key_->public_key()), Code::kDenied);
  envelope.set_payload("payload");
  EXPECT_TRUE(VerifySignedBy(*crypto_, envelope, key_->public_key()).ok());
  // A signature for one purpose is none for another.
  envelope.set_payload_type(std::string(kHelloType));
  EXPECT_EQ(code(key_->public_key()), Code::kDenied);
}

TEST_F(EnvelopeTest, MovingABoundaryBetweenTypeAndPayloadBreaksTheSignature) {
  Envelope envelope = ParseEnvelope(Signed("1payload"), kResultType).value();
  envelope.set_payload_type(std::string(kResultType) + "1");
  envelope.set_payload("payload");
  EXPECT_FALSE(VerifySignedBy(*crypto_, envelope, key_->public_key()).ok());
}

TEST_F(EnvelopeTest, TheTypeMustBeTheOneThatIsDue) {
  EXPECT_EQ(ParseEnvelope(Signed(), kHelloType).error().code, Code::kInvalid);
}

TEST_F(EnvelopeTest, CarriesUpToEightSignaturesOfDistinctKeys) {
  std::string bytes = Signed();
  EXPECT_EQ(AddSignature(*crypto_, *key_, bytes).error().code, Code::kExists);
  for (int i = 2; i <= kMaxSignatures; ++i) {
    const auto key = crypto_->GenerateKey().value();
    bytes = AddSignature(*crypto_, *key, bytes).value();
    EXPECT_TRUE(
        VerifySignedBy(*crypto_, ParseEnvelope(bytes, kResultType).value(), key->public_key())
            .ok());
  }
  EXPECT_TRUE(
      VerifySignedBy(*crypto_, ParseEnvelope(bytes, kResultType).value(), key_->public_key()).ok());
  EXPECT_EQ(AddSignature(*crypto_, *other_, bytes).error().code, Code::kInvalid);

  Envelope envelope = ParseEnvelope(bytes, kResultType).value();
  *envelope.add_sigs() = envelope.sigs(0);
  envelope.mutable_sigs(8)->mutable_key_id()->back() ^= 1;
  EXPECT_FALSE(ParseEnvelope(envelope.SerializeAsString(), kResultType).ok());  // nine
}

TEST_F(EnvelopeTest, RefusesEnvelopesThatBreakALimit) {
  const Envelope good = ParseEnvelope(Signed(), kResultType).value();
  const auto refused = [](const Envelope& envelope) {
    const auto parsed = ParseEnvelope(envelope.SerializeAsString(), envelope.payload_type());
    return !parsed.ok() && parsed.error().code == Code::kInvalid;
  };
  EXPECT_FALSE(refused(good));
  Envelope bad = good;
  bad.clear_sigs();
  EXPECT_TRUE(refused(bad)) << "no signature";
  bad = good;
  *bad.add_sigs() = good.sigs(0);
  EXPECT_TRUE(refused(bad)) << "two signatures of one key";
  bad = good;
  bad.mutable_sigs(0)->mutable_rs()->push_back('x');
  EXPECT_TRUE(refused(bad)) << "65 bytes of signature";
  bad = good;
  bad.mutable_sigs(0)->mutable_key_id()->pop_back();
  EXPECT_TRUE(refused(bad)) << "31 bytes of key id";
  bad = good;
  bad.set_payload(std::string(kMaxPayloadBytes + 1, 'x'));
  EXPECT_TRUE(refused(bad)) << "payload above the limit";
  bad = good;
  bad.set_payload_type("");
  EXPECT_TRUE(refused(bad)) << "no type";
  bad.set_payload_type(std::string(kMaxTypeBytes + 1, 't'));
  EXPECT_TRUE(refused(bad)) << "type above the limit";
  EXPECT_FALSE(ParseEnvelope(std::string(kMaxEnvelopeBytes + 1, '\0'), kResultType).ok());
  EXPECT_FALSE(ParseEnvelope("", kResultType).ok());
}

TEST_F(EnvelopeTest, RefusesASecondPayloadAndAnUnknownField) {
  EXPECT_FALSE(ParseEnvelope(Signed() + "\x12\x01x", kResultType).ok());
  EXPECT_FALSE(ParseEnvelope(Signed() + "\x22\x01x", kResultType).ok());
}

TEST_F(EnvelopeTest, DoesNotSignWhatItWouldNotParse) {
  EXPECT_FALSE(
      SignEnvelope(*crypto_, *key_, kResultType, std::string(kMaxPayloadBytes + 1, 'x')).ok());
  EXPECT_FALSE(SignEnvelope(*crypto_, *key_, std::string(kMaxTypeBytes + 1, 't'), "x").ok());
  const auto largest =
      SignEnvelope(*crypto_, *key_, kResultType, std::string(kMaxPayloadBytes, 'x'));
  EXPECT_TRUE(ParseEnvelope(largest.value(), kResultType).ok());
}

TEST_F(EnvelopeTest, NoFlippedBitOfAnEnvelopeGoesUnnoticed) {
  const std::string good = Signed();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const auto envelope = ParseEnvelope(bad, kResultType);
    EXPECT_FALSE(envelope.ok() &&
                 VerifySignedBy(*crypto_, envelope.value(), key_->public_key()).ok())
        << "bit " << bit;
  }
}

}  // namespace
}  // namespace holdfast::sign
