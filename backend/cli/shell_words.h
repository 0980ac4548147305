// A line of the console, as words: what a shell's quotes mean, and nothing else of a shell.
//
// Threading: pure functions.
// Errors:    kInvalid: a quote that is not closed, a backslash before nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::cli {

struct ShellWords {
  std::vector<std::string> words;
  bool in_background = false;  // it ended with an & of its own
};
// 'as it is', "with \" and \\", and \ before one character; a # that begins a word begins a comment.
Result<ShellWords> SplitLine(std::string_view line);

// The path that `path` means in `cwd`, which is absolute: without "." and "..", by its words alone.
std::string ResolvePath(std::string_view cwd, std::string_view path);

// As it must be typed to be one word.
std::string Quoted(std::string_view word);

}  // namespace holdfast::cli
