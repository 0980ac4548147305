// LoadConfig: reads holdfastd.toml with toml++ and hands its entries to MakeConfig().
//
// Limits:    a file above 1 MiB is refused.
// Threading: pure functions, but for the file.
// Errors:    kNotFound or kInvalid; the message names file, line and key, and what is wrong there.
#pragma once

#include <string>
#include <string_view>

#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

// Paths in the file are relative to its directory.
Result<Config> LoadConfig(const std::string& path);
// The same from text; `file` is its absolute path.
Result<Config> ParseConfig(std::string_view text, std::string_view file);

}  // namespace holdfast::backend
