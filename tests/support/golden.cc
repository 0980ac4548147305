#include "tests/support/golden.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace holdfast {

void ExpectGolden(const std::string& text, const std::string& file) {
  const std::string path = std::string(HOLDFAST_SOURCE_DIR) + "/" + file;
  if (std::getenv("HOLDFAST_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  const std::string expected(std::istreambuf_iterator<char>(stream), {});
  EXPECT_EQ(text, expected) << "not as in " << file
                            << "; if it is right, run again with HOLDFAST_UPDATE_GOLDEN=1";
}

}  // namespace holdfast
