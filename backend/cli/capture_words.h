// What capture's options mean: the filter compiled, and how long it may take.
//
// Threading: pure functions.
// Errors:    kInvalid, and names the option.
#pragma once

#include "backend/cli/options.h"
#include "common/base/result.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::cli {

Result<::holdfast::command::v1::CaptureArgs> CaptureArgsOf(const Options& options);

}  // namespace holdfast::cli
