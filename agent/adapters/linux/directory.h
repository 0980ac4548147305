// Directories without std::filesystem, which would bring iostream and locale into the static agent.
//
// Threading: pure functions.
// Errors:    kNotFound, kDenied or kInternal by errno, with the path.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"

namespace holdfast::agent {

// The names in a directory, without "." and "..", in no order.
Result<std::vector<std::string>> ListNames(const std::string& dir);
// Makes the directories above `path` that do not exist. What fails shows when `path` is made.
void MakeParents(const std::string& path);

}  // namespace holdfast::agent
