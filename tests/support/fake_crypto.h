// FakeCrypto: a Crypto without any secrecy, for fuzzing what lies behind a valid signature.
//
// Its "hash" spreads bytes but is no hash; every signature whose s is low holds. Never link it into a
// program.
#pragma once

#include <memory>

#include "common/sign/crypto.h"

namespace holdfast::testing {

std::unique_ptr<sign::Crypto> NewFakeCrypto();

}  // namespace holdfast::testing
