// NextStep: what a person can do about a command that failed, where the message alone does not say it.
#pragma once

#include <string>
#include <string_view>

#include "holdfast/command/v1/command.pb.h"
#include "holdfast/command/v1/failure.pb.h"

namespace holdfast::cli {

// Empty: nothing to add. Our own words; of the endpoint's `message` nothing is repeated.
std::string NextStep(const ::holdfast::command::v1::Command& command,
                     ::holdfast::command::v1::CommandFailure failure, std::string_view message);

}  // namespace holdfast::cli
