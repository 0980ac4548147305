// CryptoSuite: what every sign::Crypto must do, run on each adapter.
//
//   INSTANTIATE_TEST_SUITE_P(Openssl, CryptoSuite, ::testing::Values(&NewOpensslCrypto));
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sign/crypto.h"
#include "common/sign/low_s.h"

namespace holdfast::testing {

using NewCrypto = std::unique_ptr<sign::Crypto> (*)();

template <typename Fixed>
Fixed FromHexOrDie(std::string_view hex) {
  return *Fixed::From(FromHex(hex).value());
}

// RFC 6979, appendix A.2.5: key, public key, and the signature of "test" (low-S as it stands).
inline constexpr char kRfcSecret[] =
    "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
inline constexpr char kRfcPublic[] =
    "04"
    "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
inline constexpr char kRfcTest[] =
    "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367"
    "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083";
// ... and of "sample", whose s is above n/2: as it stands nobody may accept it.
inline constexpr char kRfcSampleHighS[] =
    "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
    "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
inline constexpr char kOrderHex[] =
    "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

class CryptoSuite : public ::testing::TestWithParam<NewCrypto> {
 protected:
  const std::unique_ptr<sign::Crypto> crypto_ = GetParam()();
  const PublicKey rfc_key_ = FromHexOrDie<PublicKey>(kRfcPublic);

  Code VerifyCode(const PublicKey& key, const Digest& digest, const Signature& signature) const {
    const Status status = crypto_->Verify(key, digest, signature);
    EXPECT_FALSE(status.ok());
    return status.ok() ? Code::kInternal : status.error().code;
  }
};

TEST_P(CryptoSuite, HashesTheVectorsOfTheStandard) {
  EXPECT_EQ(crypto_->Sha256("").hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(crypto_->Sha256("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(crypto_->Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(crypto_->Sha256(std::string(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_P(CryptoSuite, HashesTheSameInPiecesOfAnySize) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t piece = 1; piece <= 130; ++piece) {
    const auto hasher = crypto_->NewSha256();
    for (std::size_t at = 0; at < text.size(); at += piece) {
      hasher->Update(std::string_view(text).substr(at, piece));
      hasher->Update("");
    }
    EXPECT_EQ(hasher->Finish(), crypto_->Sha256(text)) << piece;
  }
}

TEST_P(CryptoSuite, AClonedHasherGoesItsOwnWay) {
  const auto hasher = crypto_->NewSha256();
  hasher->Update("ab");
  const auto clone = hasher->Clone();
  hasher->Update("c");
  clone->Update("x");
  EXPECT_EQ(hasher->Finish(), crypto_->Sha256("abc"));
  EXPECT_EQ(clone->Finish(), crypto_->Sha256("abx"));
}

TEST_P(CryptoSuite, KnowsThePublicKeyOfTheStandardsSecret) {
  const auto key = crypto_->LoadKey(FromHex(kRfcSecret).value());
  ASSERT_TRUE(key.ok()) << key.error().message;
  EXPECT_EQ(key.value()->public_key(), rfc_key_);
  EXPECT_EQ(key.value()->secret_for_storage(), FromHex(kRfcSecret).value());
}

TEST_P(CryptoSuite, AcceptsTheSignatureOfTheStandard) {
  const auto status =
      crypto_->Verify(rfc_key_, crypto_->Sha256("test"), FromHexOrDie<Signature>(kRfcTest));
  EXPECT_TRUE(status.ok());
}

TEST_P(CryptoSuite, RefusesHighSAndAcceptsItsLowTwin) {
  const auto high = FromHexOrDie<Signature>(kRfcSampleHighS);
  const Digest digest = crypto_->Sha256("sample");
  EXPECT_EQ(VerifyCode(rfc_key_, digest, high), Code::kDenied);
  EXPECT_TRUE(crypto_->Verify(rfc_key_, digest, sign::ToLowS(high)).ok());
}

TEST_P(CryptoSuite, SignsWithLowSWhatItThenVerifies) {
  for (int i = 0; i < 20; ++i) {
    const auto key = crypto_->GenerateKey();
    ASSERT_TRUE(key.ok());
    const Digest digest = crypto_->Sha256(std::to_string(i));
    const auto signature = key.value()->Sign(digest);
    ASSERT_TRUE(signature.ok());
    EXPECT_TRUE(sign::IsLowS(signature.value()));
    EXPECT_TRUE(crypto_->Verify(key.value()->public_key(), digest, signature.value()).ok());
    EXPECT_EQ(VerifyCode(rfc_key_, digest, signature.value()), Code::kDenied);
  }
}

TEST_P(CryptoSuite, RefusesEveryFlippedBit) {
  const auto good = FromHexOrDie<Signature>(kRfcTest);
  const Digest digest = crypto_->Sha256("test");
  for (std::size_t bit = 0; bit < Signature::kSize * 8; bit += 3) {
    Signature bad = good;
    bad.data()[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(VerifyCode(rfc_key_, digest, bad), Code::kDenied) << "signature bit " << bit;
  }
  for (std::size_t bit = 0; bit < Digest::kSize * 8; bit += 5) {
    Digest bad = digest;
    bad.data()[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(VerifyCode(rfc_key_, bad, good), Code::kDenied) << "digest bit " << bit;
  }
  for (std::size_t bit = 0; bit < PublicKey::kSize * 8; bit += 3) {
    PublicKey bad = rfc_key_;
    bad.data()[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(VerifyCode(bad, digest, good), Code::kDenied) << "key bit " << bit;
  }
}

TEST_P(CryptoSuite, RefusesKeysThatAreNoPointOfTheCurve) {
  const auto good = FromHexOrDie<Signature>(kRfcTest);
  const Digest digest = crypto_->Sha256("test");
  const auto with_first_byte = [&](std::uint8_t first) {
    PublicKey key = rfc_key_;
    key.data()[0] = first;
    return key;
  };
  PublicKey origin;  // 0x04 and two zeros: how some write the point at infinity
  origin.data()[0] = 4;
  EXPECT_EQ(VerifyCode(origin, digest, good), Code::kDenied);
  EXPECT_EQ(VerifyCode(PublicKey{}, digest, good), Code::kDenied);
  // Compressed and hybrid encodings of the very same point: one key, one name.
  for (const int first : {0, 2, 3, 5, 6, 7, 255}) {
    EXPECT_EQ(VerifyCode(with_first_byte(static_cast<std::uint8_t>(first)), digest, good),
              Code::kDenied)
        << first;
  }
}

// Adapters keep parts of a check for the next one.
TEST_P(CryptoSuite, NoKeyIsCheckedAsTheOneBefore) {
  const Digest digest = crypto_->Sha256("test");
  const auto one = crypto_->GenerateKey().value();
  const auto two = crypto_->GenerateKey().value();
  const Signature of_one = one->Sign(digest).value();
  const Signature of_two = two->Sign(digest).value();
  PublicKey nowhere = one->public_key();
  nowhere.data()[PublicKey::kSize - 1] ^= 1;
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(crypto_->Verify(one->public_key(), digest, of_one).ok());
    EXPECT_EQ(VerifyCode(two->public_key(), digest, of_one), Code::kDenied);
    EXPECT_EQ(VerifyCode(nowhere, digest, of_one), Code::kDenied);
    EXPECT_EQ(VerifyCode(nowhere, digest, of_two), Code::kDenied);
    EXPECT_TRUE(crypto_->Verify(two->public_key(), digest, of_two).ok());
    EXPECT_EQ(VerifyCode(one->public_key(), digest, of_two), Code::kDenied);
  }
}

TEST_P(CryptoSuite, RefusesScalarsOutOfRange) {
  const std::string zero(32, '\0');
  const std::string order = FromHex(kOrderHex).value();
  const std::string ones(32, '\xff');
  const std::string r = FromHex(kRfcTest).value().substr(0, 32);
  const std::string s = FromHex(kRfcTest).value().substr(32);
  const Digest digest = crypto_->Sha256("test");
  for (const std::string& bad :
       {zero + zero, zero + s, r + zero, order + s, r + order, ones + s, r + ones, ones + ones}) {
    EXPECT_EQ(VerifyCode(rfc_key_, digest, *Signature::From(bad)), Code::kDenied) << ToHex(bad);
  }
}

TEST_P(CryptoSuite, LoadsOnlyScalarsInRange) {
  std::string last = FromHex(kOrderHex).value();
  for (const std::string& bad : {std::string(), std::string(31, 'x'), std::string(33, 'x'),
                                 std::string(32, '\0'), last, std::string(32, '\xff')}) {
    const auto key = crypto_->LoadKey(bad);
    ASSERT_FALSE(key.ok()) << ToHex(bad);
    EXPECT_EQ(key.error().code, Code::kInvalid);
  }
  last.back() = static_cast<char>(last.back() - 1);
  EXPECT_TRUE(crypto_->LoadKey(last).ok());
  EXPECT_TRUE(crypto_->LoadKey(std::string(31, '\0') + '\1').ok());
}

TEST_P(CryptoSuite, AKeySurvivesItsCrypto) {
  auto crypto = GetParam()();
  const auto key = crypto->GenerateKey();
  crypto.reset();
  const Digest digest = crypto_->Sha256("x");
  EXPECT_TRUE(
      crypto_->Verify(key.value()->public_key(), digest, key.value()->Sign(digest).value()).ok());
}

TEST_P(CryptoSuite, DrawsNoNonceTwice) {
  std::set<std::string> seen = {std::string(32, '\0')};
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(crypto_->RandomBytes<Nonce32>().str()).second);
  }
  crypto_->Random({});
  std::string large(1000, '\0');  // more than one call of the system's generator
  crypto_->Random({reinterpret_cast<std::uint8_t*>(large.data()), large.size()});
  EXPECT_NE(large.substr(990), std::string(10, '\0'));
}

TEST_P(CryptoSuite, ChildAndParentOfAForkDrawDifferentBytes) {
  constexpr int kEach = 500;
  (void)crypto_->RandomBytes<Nonce32>();  // a generator with a state has one by now
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(::pipe(pipe_ends.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::string drawn;  // 16,000 bytes: a pipe holds them
    for (int i = 0; i < kEach; ++i) drawn += crypto_->RandomBytes<Nonce32>().str();
    const ssize_t put = ::write(pipe_ends[1], drawn.data(), drawn.size());
    ::_exit(put == static_cast<ssize_t>(drawn.size()) ? 0 : 1);
  }
  std::set<std::string> seen;
  for (int i = 0; i < kEach; ++i) seen.insert(crypto_->RandomBytes<Nonce32>().str());
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  std::string nonce(32, '\0');
  for (int i = 0; i < kEach; ++i) {
    ASSERT_EQ(::read(pipe_ends[0], nonce.data(), nonce.size()), 32);
    seen.insert(nonce);
  }
  EXPECT_EQ(seen.size(), std::size_t{2} * kEach);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
}

TEST_P(CryptoSuite, NamesKeysAndAgentsByTheHashOfTheKey) {
  const Digest hash = crypto_->Sha256(rfc_key_.view());
  EXPECT_EQ(sign::KeyIdOf(*crypto_, rfc_key_).view(), hash.view());
  EXPECT_EQ(sign::AgentIdOf(*crypto_, rfc_key_).view(), hash.view().substr(0, 16));
}

}  // namespace holdfast::testing
