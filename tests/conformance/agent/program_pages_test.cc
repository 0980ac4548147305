#include "agent/adapters/linux/program_pages.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

// KiB of this program's code that are in our address space.
long MappedCode() {
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool is_code = false;
  long sum = 0;
  while (std::getline(smaps, line)) {
    if (line.find("r-xp") != std::string::npos) {
      is_code = line.find("conformance_agent") != std::string::npos;
    } else if (line.find("-p ") != std::string::npos) {
      is_code = false;
    } else if (is_code && line.starts_with("Rss:")) {
      sum += std::stol(line.substr(4));
    }
  }
  return sum;
}

TEST(ProgramPagesTest, LetsGoOfTheProgramWhichRunsOn) {
  const long before = MappedCode();
  LetGoOfProgramPages();
  const long after = MappedCode();
  EXPECT_GT(before, 0);
  EXPECT_LT(after, before);
  EXPECT_GT(after, 0);  // what has just run
}

}  // namespace
}  // namespace holdfast::agent
