// QuietRun: a verb on one target whose rows are wanted by this program and shown to nobody.
//
// Threading: one thread.
// Errors:    what the endpoint failed with, as kNotFound (no such file) or kInternal; kExpired: no answer in time, and
//            the command goes on; kDenied: an answer that does not hold.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backend/cli/job.h"

namespace holdfast::cli {

// A row: text by the name of its column; numbers in decimal.
using QuietRow = std::map<std::string, std::string>;
Result<std::vector<QuietRow>> QuietRun(const Call& call, Session& session,
                                       const sdk::Target& target, const sdk::Verb& verb,
                                       Duration patience);

}  // namespace holdfast::cli
