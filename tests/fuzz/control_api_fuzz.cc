// Throws ClientMessages at an API connection, before and after its login. Nothing may abort, and what
// control says must stay within the limits of api.proto.
//
// An input is a list of messages, one per line, each as hex text; a line that begins with = logs in.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "tests/support/control_world.h"
#include "tests/support/fuzz_hex.h"

using holdfast::testing::ControlWorld;

namespace {

void LogIn(ControlWorld& world, const std::string& challenge) {
  holdfast::testing::pb::Login login;
  login.set_fleet_id(world.fleet().fleet_id.str());
  login.set_server_name("server");
  login.set_challenge(challenge);
  login.set_operator_serial(world.fleet().serial);
  holdfast::api::v1::ClientMessage message;
  message.set_id(1);
  message.mutable_login()->set_envelope(
      holdfast::sign::SignEnvelope(world.crypto(), *world.fleet().operator_key,
                                   holdfast::sign::kLoginType, login.SerializeAsString())
          .value());
  message.mutable_login()->set_cert_envelope(world.fleet().Sign(world.fleet().GoodCert()));
  world.core().OnApiMessage(900, message.SerializeAsString(), world.now());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  ControlWorld world({.seed = 1, .agents = 1, .gateways = 1});
  HF_CHECK(world.core().OnApiOpened(900, "fuzz", world.now()));
  holdfast::api::v1::ServerMessage hello;
  HF_CHECK(hello.ParseFromString(*world.core().NextApiMessage(900)));
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(line.size() == input.size() ? line.size() : line.size() + 1);
    if (line.starts_with('=')) {
      LogIn(world, hello.hello().challenge());
    } else {
      world.core().OnApiMessage(900, holdfast::testing::BytesOfHexText(line), world.now());
    }
    world.core().EndTurn(world.now());
    while (const auto message = world.core().NextApiMessage(900)) {
      HF_CHECK(message->size() <= 512 * std::size_t{1024});
    }
    while (world.files().has_jobs()) world.core().OnFileDone(world.files().RunOne(), world.now());
  }
  return 0;
}
