#include "backend/gateway/fleet_identity.h"

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"

namespace holdfast::backend {

Result<FleetId> ReadFleetId(const sign::Crypto& crypto, const std::string& policy_file) {
  HF_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(policy_file, sign::kMaxEnvelopeBytes));
  auto trusted = sign::VerifyPolicy(crypto, bytes, {}, WallNow());
  if (!trusted.ok()) return std::move(trusted).error().In(policy_file);
  return trusted.value().fleet_id;
}

}  // namespace holdfast::backend
