#include "backend/fleet/simulation.h"

#include <sstream>

#include "common/bundle/bundle_text.h"

namespace holdfast::fleet {
namespace {

constexpr std::string_view kMagic = "HOLDFAST-SIMULATION-v1";

}  // namespace

bool IsSimulation(std::string_view text) { return text.starts_with(kMagic); }

std::string FormatSimulation(const Simulation& simulation) {
  return std::string(kMagic) + " " + ToBase64Url(simulation.seed.view()) + " " +
         std::to_string(simulation.agents) + "\n" + FormatBundle(simulation.bundle);
}

Result<Simulation> ParseSimulation(std::string_view text) {
  std::istringstream words{std::string(text.substr(0, text.find('\n')))};
  std::string magic, seed;
  Simulation out;
  words >> magic >> seed >> out.agents;
  HF_ASSIGN_OR_RETURN(const std::string seed_bytes, FromBase64Url(seed));
  const auto nonce = Nonce32::From(seed_bytes);
  if (magic != kMagic || words.fail() || !nonce || out.agents == 0 || out.agents > kMaxAgents) {
    return Error{Code::kInvalid, "not a file of `holdfast-fleet enrol`"};
  }
  out.seed = *nonce;
  HF_ASSIGN_OR_RETURN(out.bundle, ParseBundle(text));
  return out;
}

Result<std::unique_ptr<sign::SigningKey>> SimulatedKey(const sign::Crypto& crypto,
                                                       const Nonce32& seed, std::uint32_t number) {
  constexpr int kTries = 8;  // a hash is no scalar once in 2^32
  std::string input = "HOLDFAST-SIMULATED-KEY-v1" + seed.str();
  for (int shift = 24; shift >= 0; shift -= 8) input += static_cast<char>(number >> shift);
  for (int i = 0; i < kTries; ++i) {
    auto key = crypto.LoadKey(crypto.Sha256(input + static_cast<char>(i)).view());
    if (key.ok() || key.error().code != Code::kInvalid) return key;
  }
  return Error{Code::kInternal, "no key for agent " + std::to_string(number)};
}

}  // namespace holdfast::fleet
