// TakeClassLimit: "act.memory=1GiB..4GiB" into a policy: a class's default of a limit, and the most that may be signed.
//
//   CLASS.LIMIT=DEFAULT       a default; the operator may sign more
//   CLASS.LIMIT=DEFAULT..MOST nor more than MOST
//
// Times take ms s m h d, sizes K M G T KiB MiB GiB TiB (both of 1024), the rest whole numbers.
//
// Threading: a pure function.
// Errors:    kInvalid, with what is wrong and what there is instead.
#pragma once

#include <string>

#include "common/base/result.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::sdk {

Status TakeClassLimit(const std::string& text, ::holdfast::command::v1::Policy& policy);

}  // namespace holdfast::sdk
