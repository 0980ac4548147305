#include <gtest/gtest.h>
#include <sys/stat.h>

#include "backend/fleet/identities.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "tests/support/temp_dir.h"

namespace holdfast::fleet {
namespace {

class IdentitiesTest : public ::testing::Test {
 protected:
  Identities Open(unsigned count) {
    auto opened = Identities::Open(*crypto_, dir_.path(), count);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(opened).value();
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  holdfast::testing::TempDir dir_;
};

TEST_F(IdentitiesTest, KeepsKeysAndContactsOverAnOrderlyStop) {
  Identities first = Open(3);
  const Nonce16 contact = crypto_->RandomBytes<Nonce16>();
  first.at(1).contact = contact;
  ASSERT_TRUE(first.Save().ok());
  Identities second = Open(4);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(second.at(i).id, first.at(i).id);
    EXPECT_EQ(second.at(i).incarnation, first.at(i).incarnation);
  }
  EXPECT_EQ(second.at(1).contact, contact);
  EXPECT_EQ(second.at(3).contact, Nonce16{});
  struct stat facts {};
  ASSERT_EQ(stat((std::string(dir_.path()) + "/agents").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(IdentitiesTest, BeginsNewIncarnationsAfterACrash) {
  Identities first = Open(2);
  first.at(0).contact = crypto_->RandomBytes<Nonce16>();
  Identities second = Open(2);  // no Save() in between
  EXPECT_EQ(second.at(0).id, first.at(0).id);
  EXPECT_NE(second.at(0).incarnation, first.at(0).incarnation);
  EXPECT_EQ(second.at(0).contact, Nonce16{});
}

TEST_F(IdentitiesTest, RefusesAFileThatIsNotOneOfOurs) {
  for (const char* text : {"stopped\nnonsense\n", "stopped\nHOLDFAST-KEY-v1 operator x y z\n",
                           "stopped\nHOLDFAST-KEY-v1 agent AAAA 00 00\n"}) {
    dir_.Write("agents", text);
    EXPECT_FALSE(Identities::Open(*crypto_, dir_.path(), 1).ok()) << text;
  }
}

}  // namespace
}  // namespace holdfast::fleet
