// Low-S: the one of the two valid signatures (r, s) and (r, n - s) that we accept.
//
// Without the rule anyone could turn a signature into another one of the same bytes. Both crypto
// adapters use this, so they cannot disagree. Public values only: not in constant time.
//
// Threading: pure functions.
#pragma once

#include "common/base/ids.h"

namespace holdfast::sign {

bool IsLowS(const Signature& signature);       // s <= n/2, n the order of P-256
Signature ToLowS(const Signature& signature);  // for 0 < s < n

}  // namespace holdfast::sign
