// The agent's SHA-256: mbedTLS's, or the processor's instructions where it has them.
//
// Threading: a Hasher belongs to one thread.
#pragma once

#include <memory>

#include "common/sign/crypto.h"

namespace holdfast {

std::unique_ptr<sign::Hasher> NewMbedtlsSha256();  // the fastest there is
// The two that it chooses from, for their comparison in a test.
std::unique_ptr<sign::Hasher> NewPortableSha256();
std::unique_ptr<sign::Hasher> NewNiSha256();  // only if HasSha256Ni()

}  // namespace holdfast
