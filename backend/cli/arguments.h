// Arguments: the command line's grammar. Help, man pages and completion come from the same tables.
//
// Everything after the first "--" of `exec` is the endpoint's argv, byte for byte.
//
// Errors:    a mistake in usage is printed on stderr with a hint, and is exit status 2.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "backend/cli/options.h"

namespace holdfast::cli {

// Options, or the exit status when there is nothing left to do (help was printed, or a mistake).
std::variant<Options, int> ParseArguments(int argc, const char* const* argv);

// The grammar, for completion scripts and manual pages.
struct OptionHelp {
  std::string names;  // "-o,--output", or "TARGET"
  std::string value;  // "FORMAT"; empty for a flag or a positional
  std::string text;
  bool positional = false;
};
struct CommandHelp {
  std::string name;  // "agents rm"; empty for the program itself
  std::string text;
  std::string more;  // examples and notes
  std::vector<OptionHelp> options;
};
std::vector<CommandHelp> DescribeCommands();

}  // namespace holdfast::cli
