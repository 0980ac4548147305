// What memdump's options mean, and what its file is called.
//
// Threading: pure functions.
// Errors:    kInvalid, and names the option.
#pragma once

#include <string>

#include "backend/cli/options.h"
#include "common/base/result.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::cli {

Result<::holdfast::command::v1::MemdumpArgs> MemdumpArgsOf(std::int32_t pid,
                                                           const MemoryOptions& words);
std::string RegionsQuery(std::int32_t pid);  // SQL: memdump --list
std::string MemoryFileName(const ::holdfast::command::v1::MemdumpArgs& args);

}  // namespace holdfast::cli
