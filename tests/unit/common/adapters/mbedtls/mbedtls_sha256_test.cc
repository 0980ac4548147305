#include "common/adapters/mbedtls/mbedtls_sha256.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "common/adapters/mbedtls/sha256_ni.h"

namespace holdfast {
namespace {

TEST(MbedtlsSha256Test, InstructionsAndLibraryAgreeOnRandomLengthsAndPieces) {
  if (!HasSha256Ni()) GTEST_SKIP() << "this processor has no SHA instructions";
  std::mt19937 random(1);  // NOLINT: the same lengths each time
  for (int round = 0; round < 2000; ++round) {
    const auto portable = NewPortableSha256();
    const auto fast = NewNiSha256();
    for (unsigned pieces = random() % 4; pieces > 0; --pieces) {
      std::string piece(random() % 300, '\0');
      for (char& c : piece) c = static_cast<char>(random());
      portable->Update(piece);
      fast->Update(piece);
    }
    const auto clone = fast->Clone();
    const Digest expected = portable->Finish();
    ASSERT_EQ(fast->Finish(), expected) << "round " << round;
    ASSERT_EQ(clone->Finish(), expected) << "round " << round;
  }
}

TEST(MbedtlsSha256Test, TheChosenOneHashesTheSame) {
  const auto chosen = NewMbedtlsSha256();
  const auto portable = NewPortableSha256();
  for (int i = 0; i < 200; ++i) {
    const std::string text(static_cast<std::size_t>(i), 'x');
    chosen->Update(text);
    portable->Update(text);
  }
  EXPECT_EQ(chosen->Finish(), portable->Finish());
}

}  // namespace
}  // namespace holdfast
