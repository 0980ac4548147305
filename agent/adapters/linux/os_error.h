// OsError: errno as an Error.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::agent {

// The code by what the caller can do: ENOSPC and EDQUOT are kExhausted, ENOENT kNotFound, EEXIST kExists,
// EACCES and EPERM kDenied, the rest kUnavailable.
Error OsError(std::string_view doing, int number);

}  // namespace holdfast::agent
