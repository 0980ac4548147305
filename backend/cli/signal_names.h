// Signals by the names that people know them by.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace holdfast::cli {

// "TERM", "sigterm" or "15"; kInvalid for what is none.
Result<std::int32_t> SignalNumber(std::string name);
// "TERM"; empty: it has no name here.
std::string SignalName(std::int32_t number);

}  // namespace holdfast::cli
