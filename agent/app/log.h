// The agent's log: lines on stderr, with the time and the process before them.
#pragma once

#include "common/base/log_line.h"

namespace holdfast::agent {

// Below this level nothing is written. kInfo until told otherwise.
void SetLogLevel(LogLevel least);
LogLevel CurrentLogLevel();
// Named by the subcommand that the process runs: "warden", "link".
void SetLogProcess(const char* name);
void WriteLogLine(const LogLine& line);

}  // namespace holdfast::agent
