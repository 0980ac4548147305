// Footprint: what a command took and left on the endpoint, told in the worker's last word (result.proto).
#pragma once

#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

// At the end of the worker: what the kernel counted of it and of all that it has waited for. What was done to files
// and how many programs were started only the verb knows (VerbRun::footprint).
void AddUsage(command::v1::Footprint& footprint);

}  // namespace holdfast::agent
