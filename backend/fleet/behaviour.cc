#include "backend/fleet/behaviour.h"

#include <charconv>

#include "backend/fleet/ws_client.h"
#include "common/link/codec.h"

namespace holdfast::fleet {
namespace {

// Neighbours differ: any hundred agents in a row hold about as many of each kind as any other.
std::uint32_t Scatter(std::uint32_t number) { return number * 2654435761U >> 16; }

constexpr std::uint32_t kMask = 0x5ca1ab1e;

std::string Frame(WsOpcode opcode, std::string_view payload) {
  std::string out;
  AppendFrame(out, opcode, payload, kMask);
  return out;
}

std::string DownwardFrame() {
  link::LinkMessage message;
  message.add_frames()->mutable_welcome();
  return link::EncodeMessage(message);
}

}  // namespace

Behaviour BehaviourOf(const Mix& mix, std::uint32_t number) {
  unsigned at = Scatter(number) % 100;
  const std::pair<unsigned, Behaviour> kinds[] = {{mix.slow, Behaviour::kSlow},
                                                  {mix.flaky, Behaviour::kFlaky},
                                                  {mix.hostile, Behaviour::kHostile},
                                                  {mix.clones, Behaviour::kClone}};
  for (const auto& [percent, behaviour] : kinds) {
    if (at < percent)
      return behaviour == Behaviour::kClone && number == 0 ? Behaviour::kGood : behaviour;
    at -= percent;
  }
  return Behaviour::kGood;
}

UpdateEnd UpdateEndOf(const Mix& mix, std::uint32_t number) {
  const unsigned at = Scatter(number ^ 0x33333333U) % 100;
  if (at < mix.update_fails) return UpdateEnd::kRolledBack;
  return at < mix.update_fails + mix.update_silent ? UpdateEnd::kSilent : UpdateEnd::kHolds;
}

Result<std::vector<std::pair<std::string, unsigned>>> ParseVersions(std::string_view text) {
  const Error wrong{Code::kInvalid, "versions are written like 1.0.0:80,1.1.0:20"};
  constexpr std::size_t kMaxVersionBytes = 32;  // trust.proto, AgentFacts
  std::vector<std::pair<std::string, unsigned>> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const std::size_t colon = word.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon > kMaxVersionBytes) return wrong;
    const std::string_view digits = word.substr(colon + 1);
    unsigned weight = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), weight);
    if (error != std::errc() || end != digits.data() + digits.size() || weight == 0 ||
        weight > 1000) {
      return wrong;
    }
    out.emplace_back(word.substr(0, colon), weight);
  }
  return out;
}

const std::string& VersionOf(const Mix& mix, std::uint32_t number, const std::string& own) {
  unsigned all = 0;
  for (const auto& [version, weight] : mix.versions) all += weight;
  if (all == 0) return own;
  unsigned at = Scatter(number ^ 0x55555555U) % all;
  for (const auto& [version, weight] : mix.versions) {
    if (at < weight) return version;
    at -= weight;
  }
  return own;
}

HostileAct HostileActOf(std::uint32_t n) {
  using When = HostileAct::When;
  constexpr std::size_t kTooLarge = 400000;  // above kMaxMessageBytes
  switch (n % kKindsOfActs) {
    case 0: return {When::kInsteadOfHttp, std::string(200, '\xff')};
    case 1: return {When::kInsteadOfHttp, "GET /api/v1 HTTP/1.1\r\nHost: x\r\n\r\n"};
    case 2: return {When::kForgedHello, {}};
    // A frame that is not masked, one with reserved bits, one that claims 2^63-1 bytes, text.
    case 3:
      return {When::kInsteadOfHello, std::string("\x82\x04"
                                                 "wxyz",
                                                 6)};
    case 4: return {When::kInsteadOfHello, std::string("\xf2\x80\x00\x00\x00\x00", 6)};
    case 5:
      return {When::kInsteadOfHello,
              std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 14)};
    case 6: return {When::kInsteadOfHello, Frame(WsOpcode::kText, "hello")};
    // No protobuf; a frame that only gateways send; more than a message may hold.
    case 7: return {When::kAsMessage, std::string(64, '\xff')};
    case 8: return {When::kAsMessage, DownwardFrame()};
    default: return {When::kAsMessage, std::string(kTooLarge, 'x')};
  }
}

}  // namespace holdfast::fleet
