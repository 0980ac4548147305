#include "common/adapters/lws/close_reason.h"

#include <string_view>

namespace holdfast {
namespace {

namespace pb = ::holdfast::link::v1;

constexpr int kFirstOwnCode = 4400;
constexpr int kGoingAwayCode = 1001;  // RFC 6455, 7.4.1
constexpr int kTooLargeCode = 1009;
constexpr int kUpgradeRequired = 426;
constexpr int kServiceUnavailable = 503;
constexpr std::string_view kOurServer = "holdfast";  // the gateway's Server header

link::CloseReason ReasonOfRefusal(const ClientEnd& end) {
  if (end.http_server != kOurServer) return pb::CLOSE_REASON_UPGRADE_BLOCKED;
  switch (end.http_status) {
    case kUpgradeRequired: return pb::CLOSE_REASON_UPGRADE_BLOCKED;
    case kServiceUnavailable: return pb::CLOSE_REASON_TRY_LATER;
    default: return pb::CLOSE_REASON_NOT_A_LINK;
  }
}

}  // namespace

link::CloseReason ReasonOf(const ClientEnd& end) {
  switch (end.why) {
    case ClientClose::kProxyRefused:
    case ClientClose::kConnectFailed: return pb::CLOSE_REASON_CONNECT_FAILED;
    case ClientClose::kUntrusted: return pb::CLOSE_REASON_SERVER_UNTRUSTED;
    case ClientClose::kTooLarge: return pb::CLOSE_REASON_FRAME_TOO_LARGE;
    case ClientClose::kProtocol: return pb::CLOSE_REASON_BAD_FRAME;
    case ClientClose::kRefused: return ReasonOfRefusal(end);
    case ClientClose::kNotHttp: return pb::CLOSE_REASON_UPGRADE_BLOCKED;
    case ClientClose::kByPeer:
    case ClientClose::kByUs: break;
  }
  const int own = end.close_code - kFirstOwnCode;
  if (own > 0 && pb::CloseReason_IsValid(own)) return static_cast<link::CloseReason>(own);
  if (end.close_code == kGoingAwayCode) return pb::CLOSE_REASON_GOING_AWAY;
  if (end.close_code == kTooLargeCode) return pb::CLOSE_REASON_FRAME_TOO_LARGE;
  return pb::CLOSE_REASON_PEER_GONE;
}

}  // namespace holdfast
