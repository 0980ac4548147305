// Golden files: expected output as plain text in tests/golden, reviewed like code.
//
// HOLDFAST_UPDATE_GOLDEN=1 in the environment writes them anew; look at the difference before you commit.
#pragma once

#include <string>

namespace holdfast {

// Compares with the file (relative to the repository), as a GoogleTest expectation.
void ExpectGolden(const std::string& text, const std::string& file);

}  // namespace holdfast
