// Sizes as people read them: "999 B", "1.4 kB", "3.0 MB": powers of 1000.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::cli {

std::string FormatSize(std::uint64_t bytes);

}  // namespace holdfast::cli
