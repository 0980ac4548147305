#include "common/bundle/bundle_text.h"

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace holdfast {
namespace {

constexpr std::string_view kBegin = "-----BEGIN HOLDFAST BUNDLE-----";
constexpr std::string_view kEnd = "-----END HOLDFAST BUNDLE-----";
constexpr std::size_t kLineChars = 76;                       // as RFC 2045 section 6.8 has it
constexpr std::size_t kMaxCaBytes = std::size_t{16} * 1024;  // trust.proto
constexpr int kMaxServers = 8;                               // trust.proto
constexpr std::size_t kMaxTokenBytes = 64;                   // trust.proto, AgentHello.enrol_token

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

Status CheckLimits(const ::holdfast::command::v1::Bundle& bundle) {
  if (bundle.fleet_id().size() != FleetId::kSize) {
    return Error{Code::kInvalid, "the bundle names no fleet"};
  }
  if (bundle.servers_size() < 1 || bundle.servers_size() > kMaxServers) {
    return Error{Code::kInvalid, "the bundle has no servers, or more than 8"};
  }
  if (bundle.ca_pem().size() > kMaxCaBytes) {
    return Error{Code::kInvalid, "the bundle's CA is larger than 16 KiB"};
  }
  if (bundle.policy_envelope().empty()) {
    return Error{Code::kInvalid, "the bundle has no policy"};
  }
  if (bundle.token().empty() || bundle.token().size() > kMaxTokenBytes) {
    return Error{Code::kInvalid, "the bundle has no token, or one longer than 64 bytes"};
  }
  return Ok();
}

}  // namespace

std::string FormatBundle(const ::holdfast::command::v1::Bundle& bundle) {
  const std::string text = ToBase64Url(bundle.SerializeAsString());
  std::string out(kBegin);
  out += '\n';
  for (std::size_t at = 0; at < text.size(); at += kLineChars) {
    out += std::string_view(text).substr(at, kLineChars);
    out += '\n';
  }
  out += kEnd;
  out += '\n';
  return out;
}

Result<::holdfast::command::v1::Bundle> ParseBundle(std::string_view text) {
  if (text.size() > kMaxBundleTextBytes) {
    return Error{Code::kInvalid, "larger than any bundle (256 KiB)"};
  }
  const std::size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) {
    return Error{Code::kInvalid, "no line '" + std::string(kBegin) + "': this is not a bundle"};
  }
  const std::size_t body = begin + kBegin.size();
  const std::size_t end = text.find(kEnd, body);
  if (end == std::string_view::npos) {
    return Error{Code::kInvalid, "no line '" + std::string(kEnd) + "': the bundle is cut off"};
  }
  std::string base64;
  for (const char c : text.substr(body, end - body)) {
    if (!IsSpace(c)) base64 += c;
  }
  HF_ASSIGN_OR_RETURN(const std::string bytes, FromBase64Url(base64));
  ::holdfast::command::v1::Bundle bundle;
  if (!bundle.ParseFromString(bytes)) {
    return Error{Code::kInvalid, "the text between the lines is not a bundle"};
  }
  HF_TRY(CheckLimits(bundle));
  return bundle;
}

}  // namespace holdfast
