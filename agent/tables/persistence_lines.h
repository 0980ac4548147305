// What a line of a configuration file starts, for the table persistence: one reader for each kind of file.
//
// Ownership: views into the line.
// Threading: pure functions.
// Errors:    false for a line that starts nothing.
#pragma once

#include <string_view>

namespace holdfast::agent {

struct StartedByLine {
  std::string_view name;  // "" stands for the file's name
  std::string_view command;
  std::string_view user;
};
using LineReader = bool (*)(std::string_view line, StartedByLine& out);  // no comment, not empty

bool ReadWholeLine(std::string_view line, StartedByLine& out);       // a path or a module
bool ReadLoaderVariable(std::string_view line, StartedByLine& out);  // LD_PRELOAD=... and the like
bool ReadPamLine(std::string_view line, StartedByLine& out);         // module and arguments
bool ReadUdevLine(std::string_view line, StartedByLine& out);      // RUN, PROGRAM, IMPORT{program}
bool ReadModprobeLine(std::string_view line, StartedByLine& out);  // install and remove
bool ReadLoadedModule(std::string_view line, StartedByLine& out);  // of /proc/modules
bool ReadAnacronLine(std::string_view line, StartedByLine& out);
bool ReadInittabLine(std::string_view line, StartedByLine& out);
bool ReadAptHook(std::string_view line, StartedByLine& out);   // ...Invoke
bool ReadDpkgHook(std::string_view line, StartedByLine& out);  // pre-invoke=, post-invoke=

}  // namespace holdfast::agent
