// NewMbedtlsSealing: Sealing by mbedTLS, for the agent (AES by nettle where the build has one).
#pragma once

#include <memory>

#include "common/sign/sealing.h"

namespace holdfast {

std::unique_ptr<sign::Sealing> NewMbedtlsSealing();

}  // namespace holdfast
