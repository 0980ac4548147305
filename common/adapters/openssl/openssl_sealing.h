// NewOpensslSealing: Sealing by OpenSSL, for the tools.
#pragma once

#include <memory>

#include "common/sign/sealing.h"

namespace holdfast {

std::unique_ptr<sign::Sealing> NewOpensslSealing();

}  // namespace holdfast
