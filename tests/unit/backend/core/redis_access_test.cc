#include "backend/core/redis_access.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {
namespace {

TEST(RedisAccessTest, DrawsAPasswordForEachProcessAndNoAdmin) {
  const auto crypto = NewOpensslCrypto();
  std::set<std::string> passwords;
  for (int i = 0; i < 2; ++i) {
    const RedisUsers users = DrawRedisUsers(*crypto);
    for (const RedisRole role :
         {RedisRole::kSupervisor, RedisRole::kGateway, RedisRole::kControl}) {
      EXPECT_EQ(users.of(role).user, "holdfast-" + std::string(ToString(role)));
      EXPECT_EQ(users.of(role).password.size(), 64U);
      passwords.insert(users.of(role).password);
    }
    EXPECT_TRUE(users.of(RedisRole::kAdmin).empty());
  }
  EXPECT_EQ(passwords.size(), 6U);
}

TEST(RedisAccessTest, WritesHashesAndTurnsEverybodyElseOff) {
  const auto crypto = NewOpensslCrypto();
  RedisUsers users;
  users.of(RedisRole::kSupervisor) = {"s", "abc"};
  EXPECT_EQ(AclText(*crypto, users),
            "user default reset off\n"
            "user s reset on "
            "#ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad +ping +role\n");
  for (const RedisRole role : {RedisRole::kSupervisor, RedisRole::kGateway, RedisRole::kControl}) {
    EXPECT_EQ(RedisRules(role).find('@'), std::string_view::npos)
        << "a category lets in new commands";
  }
}

TEST(RedisAccessTest, TakesWhatAFileSaysInPlaceOfWhatWasDrawn) {
  RedisUsers users = DrawRedisUsers(*NewOpensslCrypto());
  const std::string control = users.of(RedisRole::kControl).password;
  ASSERT_TRUE(ParseRedisUsers("# ours\n\n gateway\tg  p#w \r\nadmin ada x", users).ok());
  EXPECT_EQ(users.of(RedisRole::kGateway).user, "g");
  EXPECT_EQ(users.of(RedisRole::kGateway).password, "p#w");
  EXPECT_EQ(users.of(RedisRole::kAdmin).user, "ada");
  EXPECT_EQ(users.of(RedisRole::kControl).password, control);
}

TEST(RedisAccessTest, NamesTheLineOfAMistakeAndNotThePassword) {
  for (const char* bad : {"gateway g", "gateway g secret more", "gate g secret", "Gateway g secret",
                          "gateway g sec\"ret", "gateway g sec\\ret", "gateway g\x01 secret"}) {
    RedisUsers users;
    const Status parsed = ParseRedisUsers("\n" + std::string(bad) + "\n", users);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
    EXPECT_TRUE(parsed.error().message.starts_with("line 2: ")) << parsed.error().message;
    EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos);
  }
  RedisUsers users;
  EXPECT_FALSE(ParseRedisUsers("gateway g " + std::string(257, 'x'), users).ok());
  EXPECT_FALSE(ParseRedisUsers("gateway " + std::string(65, 'x') + " p", users).ok());
}

TEST(RedisAccessTest, HandsALoginOnAsBytes) {
  const RedisLogin login = DecodeRedisLogin(EncodeRedisLogin({"g", "p w"}));
  EXPECT_EQ(login.user, "g");
  EXPECT_EQ(login.password, "p w");
  EXPECT_TRUE(DecodeRedisLogin(EncodeRedisLogin({})).empty());
}

}  // namespace
}  // namespace holdfast::backend
