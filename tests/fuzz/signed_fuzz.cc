// Throws bytes at everything that is signed: envelopes, the strict parsers, and CheckCommand behind
// a crypto that calls every signature good, so that all checks after it are reached.
//
// An input is one letter and a body: E envelope, C command, P policy, T certificate, L login, H hello,
// R result, U update root, V release, as hex text; in lower case the body is plain bytes. A command or certificate is put into a
// good envelope first.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/check.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"
#include "common/sign/update.h"
#include "common/sign/version.h"
#include "tests/support/fake_crypto.h"
#include "tests/support/fuzz_hex.h"
#include "tests/support/test_fleet.h"

namespace {

using holdfast::testing::kNowMs;
using holdfast::testing::TestFleet;
namespace sign = holdfast::sign;
namespace pb = ::holdfast::command::v1;

// What a strict parser accepts it accepts again from the generated serializer, and that loses
// nothing but explicit zeros.
template <typename Message>
void CheckStable(const holdfast::Result<Message>& parsed, std::string_view payload,
                 holdfast::Result<Message> (*parse)(std::string_view)) {
  if (!parsed.ok()) {
    HF_CHECK(!parsed.error().message.empty());
    return;
  }
  const std::string again = parsed.value().SerializeAsString();
  HF_CHECK(again.size() <= payload.size());
  const auto second = parse(again);
  HF_CHECK(second.ok() && second.value().SerializeAsString() == again);
}

class World {
 public:
  void CheckOne(std::string_view envelope, std::string_view cert) const {
    const sign::CommandCheck check = {
        .now = holdfast::WallTime(kNowMs), .birth = holdfast::WallTime(0), .self = fleet_.agent};
    const auto result =
        CheckCommand(*crypto_, trust_, {.envelope = envelope, .cert_envelope = cert}, check);
    if (const auto* refusal = std::get_if<sign::Refusal>(&result)) {
      HF_CHECK(refusal->failure != pb::COMMAND_FAILURE_UNSPECIFIED && !refusal->message.empty());
      return;
    }
    const auto& accepted = std::get<sign::VerifiedCommand>(result);
    HF_CHECK(!accepted.verb.empty() && accepted.verb == sign::VerbName(accepted.command));
    HF_CHECK(accepted.command.fleet_id() == fleet_.fleet_id.view());
    HF_CHECK(accepted.command.not_after_ms() >= kNowMs);
    HF_CHECK(accepted.command.not_after_ms() - accepted.command.issued_at_ms() <=
             24 * holdfast::testing::kHourMs);
    HF_CHECK(accepted.command.target().agent_ids().size() <= 10);
  }

  void Throw(char what, std::string_view body) const {
    switch (what) {
      case 'e':
        CheckOne(body, cert_);
        CheckOne(command_, body);
        for (const auto type : {sign::kCommandType, sign::kPolicyType, sign::kHelloType}) {
          (void)sign::ParseEnvelope(body, type).ok();
        }
        break;
      case 'c':
        CheckStable(sign::ParseCommand(body), body, &sign::ParseCommand);
        if (body.size() <= sign::kMaxPayloadBytes) CheckOne(fleet_.SignCommandBytes(body), cert_);
        break;
      case 't': {
        CheckStable(sign::ParseCert(body), body, &sign::ParseCert);
        const auto cert = SignEnvelope(*crypto_, *fleet_.issuer, sign::kCertType, body);
        if (cert.ok()) CheckOne(command_, cert.value());
        break;
      }
      case 'p': {
        CheckStable(sign::ParsePolicy(body), body, &sign::ParsePolicy);
        const auto policy = SignEnvelope(*crypto_, *fleet_.roots[0], sign::kPolicyType, body);
        if (!policy.ok()) break;
        (void)VerifyPolicy(*crypto_, policy.value(), {}, holdfast::WallTime(kNowMs)).ok();
        (void)VerifyPolicy(*crypto_, policy.value(), {fleet_.roots[0]->public_key()},
                           holdfast::WallTime(kNowMs))
            .ok();
        break;
      }
      case 'l': CheckStable(sign::ParseLogin(body), body, &sign::ParseLogin); break;
      case 'h': CheckStable(sign::ParseHello(body), body, &sign::ParseHello); break;
      case 'u': {
        CheckStable(sign::ParseUpdateRoot(body), body, &sign::ParseUpdateRoot);
        const auto root = SignEnvelope(*crypto_, *fleet_.roots[0], sign::kUpdateRootType, body);
        const auto both = root.ok() ? AddSignature(*crypto_, *fleet_.roots[1], root.value()) : root;
        if (both.ok()) Root(both.value());
        Root(body);
        break;
      }
      case 'v': {
        CheckStable(sign::ParseRelease(body), body, &sign::ParseRelease);
        const auto release = SignEnvelope(*crypto_, *fleet_.issuer, sign::kReleaseType, body);
        if (release.ok()) Released(release.value());
        Released(body);
        break;
      }
      case 'r': CheckStable(sign::ParseResult(body), body, &sign::ParseResult); break;
      default: break;
    }
  }

 private:
  void Root(std::string_view envelope) const {
    const auto root =
        sign::VerifyUpdateRoot(*crypto_, trust_, envelope, holdfast::WallTime(kNowMs));
    HF_CHECK(!root.ok() || root.value().threshold() > 0);
  }
  void Released(std::string_view envelope) const {
    pb::UpdateRoot root;
    root.add_keys(fleet_.issuer->public_key().str());
    root.set_threshold(1);
    const auto release = sign::VerifyRelease(*crypto_, root, envelope, holdfast::WallTime(kNowMs));
    if (!release.ok()) return;
    HF_CHECK(sign::IsVersion(release.value().version()));
    HF_CHECK(!sign::IsOlder(release.value().version(), release.value().floor()));
  }

  const std::unique_ptr<sign::Crypto> crypto_ = holdfast::testing::NewFakeCrypto();
  const TestFleet fleet_{*crypto_};
  const sign::TrustedPolicy trust_ = fleet_.Trust(fleet_.GoodPolicy());
  const std::string cert_ = fleet_.Sign(fleet_.GoodCert());
  const std::string command_ = fleet_.Sign(fleet_.GoodCommand());
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const World world;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const char what = static_cast<char>(data[0]);
  if (what >= 'A' && what <= 'Z') {
    world.Throw(static_cast<char>(what - 'A' + 'a'), holdfast::testing::BytesOfHexText(rest));
  } else {
    world.Throw(what, rest);
  }
  return 0;
}
