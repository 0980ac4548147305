// The catalogue's names as people and programs read them: "NO_SUCH_FILE" for COMMAND_FAILURE_NO_SUCH_FILE.
//
// Threading: pure functions.
#pragma once

#include <string>

#include "holdfast/api/v1/api.pb.h"
#include "holdfast/command/v1/failure.pb.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::cli {

std::string FailureName(::holdfast::command::v1::CommandFailure failure);
std::string OutcomeName(::holdfast::command::v1::Outcome outcome);
std::string StateName(::holdfast::api::v1::DeliveryState state);

}  // namespace holdfast::cli
