// GiveOrder: `holdfastd roll`, `scale` and `reload`, from the word to the exit status.
//
// Says the word to the holdfastd that runs on this configuration's state (OrderSocket), and prints what it
// answers.
//
// Errors:    kNotFound: none runs there. kUnavailable: it ended before it was done. Else the order's own end,
//            0 or 1, is returned.
#pragma once

#include <string_view>

#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

Result<int> GiveOrder(const Config& config, std::string_view word);

}  // namespace holdfast::backend
