#include "common/adapters/lws/close_reason.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

namespace pb = ::holdfast::link::v1;

ClientEnd End(ClientClose why, std::uint16_t code = 0, int status = 0,
              const char* server = "holdfast") {
  ClientEnd end;
  end.why = why;
  end.close_code = code;
  end.http_status = status;
  end.http_server = server;
  return end;
}

TEST(CloseReasonTest, GivesEveryEndOneReason) {
  EXPECT_EQ(ReasonOf(End(ClientClose::kConnectFailed)), pb::CLOSE_REASON_CONNECT_FAILED);
  EXPECT_EQ(ReasonOf(End(ClientClose::kUntrusted)), pb::CLOSE_REASON_SERVER_UNTRUSTED);
  EXPECT_EQ(ReasonOf(End(ClientClose::kTooLarge)), pb::CLOSE_REASON_FRAME_TOO_LARGE);
  EXPECT_EQ(ReasonOf(End(ClientClose::kProtocol)), pb::CLOSE_REASON_BAD_FRAME);
  EXPECT_EQ(ReasonOf(End(ClientClose::kRefused, 0, 503)), pb::CLOSE_REASON_TRY_LATER);
  EXPECT_EQ(ReasonOf(End(ClientClose::kRefused, 0, 404)), pb::CLOSE_REASON_NOT_A_LINK);
  EXPECT_EQ(ReasonOf(End(ClientClose::kByPeer)), pb::CLOSE_REASON_PEER_GONE);
  EXPECT_EQ(ReasonOf(End(ClientClose::kByPeer, 1001)), pb::CLOSE_REASON_GOING_AWAY);
  EXPECT_EQ(ReasonOf(End(ClientClose::kByPeer, 1009)), pb::CLOSE_REASON_FRAME_TOO_LARGE);
}

TEST(CloseReasonTest, TakesOnlyARefusalThatOurGatewaySignedForOneOfOurs) {
  for (const char* stranger : {"", "nginx/1.22", "Holdfast", "holdfast "}) {
    for (const int status : {200, 403, 404, 407, 426, 502, 503}) {
      EXPECT_EQ(ReasonOf(End(ClientClose::kRefused, 0, status, stranger)),
                pb::CLOSE_REASON_UPGRADE_BLOCKED)
          << stranger << status;
    }
  }
  // It is ours, and says that the upgrade did not arrive.
  EXPECT_EQ(ReasonOf(End(ClientClose::kRefused, 0, 426)), pb::CLOSE_REASON_UPGRADE_BLOCKED);
  EXPECT_EQ(ReasonOf(End(ClientClose::kRefused, 0, 403)), pb::CLOSE_REASON_NOT_A_LINK);
  EXPECT_EQ(ReasonOf(End(ClientClose::kNotHttp)), pb::CLOSE_REASON_UPGRADE_BLOCKED);
}

TEST(CloseReasonTest, ReadsTheCatalogueFromCodesFrom4400On) {
  for (int reason = pb::CloseReason_MIN + 1; reason <= pb::CloseReason_MAX; ++reason) {
    const auto code = static_cast<std::uint16_t>(4400 + reason);
    EXPECT_EQ(ReasonOf(End(ClientClose::kByPeer, code)), reason);
  }
  for (const int code : {4400, 4399, 4499, 4999}) {
    const auto narrow = static_cast<std::uint16_t>(code);
    EXPECT_EQ(ReasonOf(End(ClientClose::kByPeer, narrow)), pb::CLOSE_REASON_PEER_GONE) << code;
  }
}

}  // namespace
}  // namespace holdfast
