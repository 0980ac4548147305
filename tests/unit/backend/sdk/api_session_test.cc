#include "backend/sdk/api_session.h"

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sdk {
namespace {

class ApiSessionTest : public testing::Test {
 protected:
  ApiSessionTest() {
    who_.key = crypto_->GenerateKey().value();
    who_.cert.set_serial(std::string(16, 's'));
    who_.cert_envelope = "certificate";
    session_ = std::make_unique<ApiSession>(
        *crypto_, who_, ApiSession::Options{FleetId::From(std::string(16, 'f')).value(), {"host"}});
  }
  Status Say(const api::ServerMessage& message) {
    return session_->OnMessage(message.SerializeAsString(), WallTime(1000));
  }
  static api::ServerMessage Hello() {
    api::ServerMessage message;
    message.mutable_hello()->set_protocol_version(1);
    message.mutable_hello()->set_challenge(std::string(32, 'c'));
    message.mutable_hello()->set_server_name("host");
    return message;
  }
  api::ClientMessage Sent() {
    api::ClientMessage message;
    const auto bytes = session_->NextMessage();
    EXPECT_TRUE(bytes && message.ParseFromString(*bytes));
    return message;
  }
  void OpenIt() {
    ASSERT_TRUE(Say(Hello()).ok());
    api::ServerMessage ok;
    ok.set_id(Sent().id());
    ok.mutable_login_ok();
    ASSERT_TRUE(Say(ok).ok());
    ASSERT_TRUE(session_->open());
  }
  static api::ClientMessage Ask() {
    api::ClientMessage message;
    message.mutable_list_agents();
    return message;
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  Operator who_;
  std::unique_ptr<ApiSession> session_;
};

TEST_F(ApiSessionTest, ProvesItsOperatorBySigningTheChallenge) {
  EXPECT_FALSE(session_->NextMessage()) << "the server speaks first";
  ASSERT_TRUE(Say(Hello()).ok());
  const auto login = Sent();
  EXPECT_EQ(login.login().cert_envelope(), "certificate");
  const auto envelope = sign::ParseEnvelope(login.login().envelope(), sign::kLoginType);
  ASSERT_TRUE(envelope.ok());
  EXPECT_TRUE(sign::VerifySignedBy(*crypto_, envelope.value(), who_.key->public_key()).ok());
  const auto signed_login = sign::ParseLogin(envelope.value().payload());
  ASSERT_TRUE(signed_login.ok());
  EXPECT_EQ(signed_login.value().challenge(), std::string(32, 'c'));
  EXPECT_EQ(signed_login.value().server_name(), "host");
  EXPECT_EQ(signed_login.value().fleet_id(), std::string(16, 'f'));
}

TEST_F(ApiSessionTest, SignsNothingForAServerOfAnotherName) {
  auto hello = Hello();
  hello.mutable_hello()->set_server_name("evil");
  EXPECT_EQ(Say(hello).error().code, Code::kDenied);
  EXPECT_FALSE(session_->NextMessage());
}

TEST_F(ApiSessionTest, RequestsWaitForTheLoginAndAreThenAnsweredById) {
  const auto first = session_->Send(Ask());
  const auto second = session_->Send(Ask());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(session_->NextMessage());
  OpenIt();
  EXPECT_EQ(Sent().id(), first.value());
  EXPECT_EQ(Sent().id(), second.value());
  api::ServerMessage answer;
  answer.set_id(second.value());
  answer.mutable_agents();
  ASSERT_TRUE(Say(answer).ok());
  EXPECT_EQ(session_->NextReply()->id(), second.value());
  EXPECT_FALSE(session_->NextReply());
  EXPECT_EQ(Say(answer).error().code, Code::kCorrupt) << "answered twice";
}

TEST_F(ApiSessionTest, ARefusedLoginSaysWhyAndNothingElseIsSent) {
  ASSERT_TRUE(Say(Hello()).ok());
  api::ServerMessage refusal;
  refusal.set_id(Sent().id());
  refusal.mutable_error()->set_code(api::API_CODE_DENIED);
  refusal.mutable_error()->set_message("certificate expired");
  ASSERT_TRUE(Say(refusal).ok());
  ASSERT_TRUE(session_->login_refusal());
  EXPECT_EQ(session_->login_refusal()->message(), "certificate expired");
  EXPECT_FALSE(session_->open());
  ASSERT_TRUE(session_->Send(Ask()).ok());
  EXPECT_FALSE(session_->NextMessage());
}

TEST_F(ApiSessionTest, AWatchHasManyAnswersUntilItsLast) {
  OpenIt();
  api::ClientMessage watch;
  watch.mutable_watch();
  const auto id = session_->Send(watch).value();
  api::ServerMessage event;
  event.set_id(id);
  event.mutable_watch_event()->mutable_delivery();
  EXPECT_TRUE(Say(event).ok());
  EXPECT_TRUE(Say(event).ok());
  event.mutable_watch_event()->mutable_finished();
  EXPECT_TRUE(Say(event).ok());
  EXPECT_EQ(Say(event).error().code, Code::kCorrupt);
}

TEST_F(ApiSessionTest, EventsThatNobodyAskedForAreABreach) {
  OpenIt();
  const auto id = session_->Send(Ask()).value();
  api::ServerMessage event;
  event.set_id(id);
  event.mutable_watch_event()->mutable_delivery();
  EXPECT_EQ(Say(event).error().code, Code::kCorrupt);
  event.set_id(12345);
  EXPECT_EQ(Say(event).error().code, Code::kCorrupt);
}

TEST_F(ApiSessionTest, BytesThatAreNoMessageAndMessagesOutOfOrderAreABreach) {
  EXPECT_EQ(session_->OnMessage("\xff\xff", WallTime(1)).error().code, Code::kCorrupt);
  EXPECT_EQ(session_->OnMessage(std::string(600 * 1024, 'x'), WallTime(1)).error().code,
            Code::kCorrupt);
  api::ServerMessage early;
  early.set_id(1);
  early.mutable_login_ok();
  EXPECT_EQ(Say(early).error().code, Code::kCorrupt);
  ASSERT_TRUE(Say(Hello()).ok());
  EXPECT_EQ(Say(Hello()).error().code, Code::kCorrupt);
}

TEST_F(ApiSessionTest, TooManyOpenRequestsAreRefusedNotQueued) {
  OpenIt();
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(session_->Send(Ask()).ok());
  EXPECT_EQ(session_->Send(Ask()).error().code, Code::kExhausted);
  api::ClientMessage flow;
  flow.mutable_flow();
  EXPECT_TRUE(session_->Send(flow).ok()) << "has no answer, so it is never open";
}

}  // namespace
}  // namespace holdfast::sdk
