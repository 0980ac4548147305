// The fleet that a backend serves, as its policy file says.
#pragma once

#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

// Errors: the file cannot be read, or its signatures do not hold.
Result<FleetId> ReadFleetId(const sign::Crypto& crypto, const std::string& policy_file);

}  // namespace holdfast::backend
