// Log: writes one structured line of the link process to stderr, with time and process in front.
#pragma once

#include "common/base/log_line.h"

namespace holdfast::agent {

void Log(const LogLine& line);

}  // namespace holdfast::agent
