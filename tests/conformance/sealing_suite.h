// SealingSuite: what every sign::Sealing must do, run on each adapter.
//
//   INSTANTIATE_TEST_SUITE_P(Openssl, SealingSuite, ::testing::Values(&NewOpensslSealing));
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/base/bytes.h"
#include "common/sign/sealing.h"

namespace holdfast::testing {

using NewSealing = std::unique_ptr<sign::Sealing> (*)();

class SealingSuite : public ::testing::TestWithParam<NewSealing> {
 protected:
  const std::unique_ptr<sign::Sealing> sealing_ = GetParam()();
  const sign::SealKey zero_{};
};

// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 1 and 2.
TEST_P(SealingSuite, SealsTheVectorsOfTheStandard) {
  EXPECT_EQ(ToHex(sealing_->Seal(zero_, 0, "").value()), "58e2fccefa7e3061367f1d57a4e7455a");
  EXPECT_EQ(ToHex(sealing_->Seal(zero_, 0, std::string(16, '\0')).value()),
            "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf");
}

TEST_P(SealingSuite, OpensWhatItSealedAndNothingElse) {
  const std::string text = "what was typed";
  for (const std::uint64_t counter : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40}) {
    const std::string sealed = sealing_->Seal(zero_, counter, text).value();
    EXPECT_EQ(sealed.size(), text.size() + sign::kSealBytes);
    EXPECT_EQ(sealing_->Open(zero_, counter, sealed).value(), text);
    EXPECT_EQ(sealing_->Open(zero_, counter + 1, sealed).error().code, Code::kDenied);
    sign::SealKey other = zero_;
    other.data()[15] = 1;
    EXPECT_EQ(sealing_->Open(other, counter, sealed).error().code, Code::kDenied);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
      std::string changed = sealed;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      EXPECT_EQ(sealing_->Open(zero_, counter, changed).error().code, Code::kDenied) << i;
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) {
      EXPECT_FALSE(sealing_->Open(zero_, counter, sealed.substr(0, size)).ok()) << size;
    }
  }
  EXPECT_NE(sealing_->Seal(zero_, 1, text).value(), sealing_->Seal(zero_, 2, text).value());
}

TEST_P(SealingSuite, AgreesWithThePeerAndWithNobodyElse) {
  const auto ours = sealing_->NewKey().value();
  const auto theirs = sealing_->NewKey().value();
  const auto stranger = sealing_->NewKey().value();
  EXPECT_NE(ours->public_key(), theirs->public_key());
  const auto secret = ours->Agree(theirs->public_key()).value();
  EXPECT_EQ(secret, theirs->Agree(ours->public_key()).value());
  EXPECT_NE(secret, stranger->Agree(ours->public_key()).value());
}

TEST_P(SealingSuite, AgreesWithNoPointThatIsNoneOfTheCurve) {
  const auto ours = sealing_->NewKey().value();
  PublicKey bad = sealing_->NewKey().value()->public_key();
  bad.data()[64] ^= 1;
  EXPECT_EQ(ours->Agree(bad).error().code, Code::kDenied);
  EXPECT_EQ(ours->Agree(PublicKey()).error().code, Code::kDenied);
  PublicKey hybrid = sealing_->NewKey().value()->public_key();
  hybrid.data()[0] = 6;
  EXPECT_EQ(ours->Agree(hybrid).error().code, Code::kDenied);
  PublicKey origin;
  origin.data()[0] = 4;
  EXPECT_EQ(ours->Agree(origin).error().code, Code::kDenied);
}

}  // namespace holdfast::testing
