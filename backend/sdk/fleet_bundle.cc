#include "backend/sdk/fleet_bundle.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "backend/sdk/files.h"
#include "common/base/untrusted.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"

namespace holdfast::sdk {
namespace {

namespace pb = ::holdfast::command::v1;
constexpr std::size_t kMaxTokenBytes = 64;        // trust.proto, AgentHello.enrol_token
constexpr std::size_t kMaxShownListBytes = 1000;  // of the servers that control names

// In any order: endpoints try all of them.
std::set<std::string> ServersOf(const pb::Bundle& bundle) {
  return {bundle.servers().begin(), bundle.servers().end()};
}

std::string Listed(const std::set<std::string>& servers) {
  std::string list;
  for (const auto& server : servers) list += (list.empty() ? "" : ", ") + server;
  return ForTerminal(Untrusted(list), kMaxShownListBytes);
}

Error Differs(const std::string& what, const std::string& file, const std::string& remedy) {
  return {Code::kDenied, "no bundle was made: the backend's " + what + " is not the one in " +
                             file + ". " + remedy};
}

}  // namespace

Result<pb::Bundle> FleetBundle(const sign::Crypto& crypto, const Fleet& fleet, WallTime now) {
  const std::string path = fleet.paths.policy();
  auto envelope = ReadFile(path, sign::kMaxEnvelopeBytes);
  if (!envelope.ok() && envelope.error().code == Code::kNotFound) {
    return Error{Code::kNotFound,
                 path +
                     " is not there. A bundle tells an endpoint whose commands it obeys, and "
                     "that is not for the backend to say: copy server/policy.env there from "
                     "where `holdfast init` made the fleet"};
  }
  if (!envelope.ok()) return std::move(envelope).error();
  const auto trust = sign::VerifyPolicy(crypto, envelope.value(), {}, now);
  if (!trust.ok()) return Error(trust.error()).In(path);
  if (trust.value().fleet_id != fleet.toml.id) {
    return Error{Code::kDenied, path + " is of another fleet than " + fleet.paths.fleet_toml()};
  }
  pb::Bundle bundle;
  bundle.set_fleet_id(fleet.toml.id.str());
  bundle.set_fleet_name(fleet.toml.name);
  bool tls = false;
  for (const auto& server : fleet.toml.servers) {
    bundle.add_servers(server);
    tls = tls || server.starts_with("wss://");
  }
  if (tls) bundle.set_ca_pem(fleet.ca_pem);
  bundle.set_policy_envelope(std::move(envelope).value());
  return bundle;
}

Result<pb::Bundle> WithToken(const Fleet& fleet, pb::Bundle ours, const pb::Bundle& told) {
  if (told.fleet_id() != ours.fleet_id()) {
    return Differs("fleet", fleet.paths.fleet_toml(), "Is this the right backend?");
  }
  if (told.policy_envelope() != ours.policy_envelope()) {
    return Differs("policy", fleet.paths.policy(),
                   "If the fleet's roots have signed a new one, put that file there, from whoever "
                   "signed it and not from the backend. If they have not, this backend must not "
                   "be trusted");
  }
  if (told.ca_pem() != ours.ca_pem()) {
    return Differs("TLS authority", fleet.paths.dir + " (\"ca\" in fleet.toml)",
                   "If it was made anew, copy ca.crt there from where it was made");
  }
  if (ServersOf(told) != ServersOf(ours)) {
    return Differs("list of servers (" + Listed(ServersOf(told)) + ")", fleet.paths.fleet_toml(),
                   "If agents are to dial those, write them into \"servers\" there; else correct "
                   "fleet.servers in holdfastd.toml");
  }
  if (told.token().empty() || told.token().size() > kMaxTokenBytes) {
    return Error{Code::kCorrupt, "the backend made no token"};
  }
  ours.set_token(told.token());
  ours.set_token_expires_ms(told.token_expires_ms());
  return ours;
}

}  // namespace holdfast::sdk
