// RunControl: the control process, from the API sockets its supervisor passes to the exit status.
#pragma once

#include "backend/core/config.h"

namespace holdfast::backend {

int RunControl(const Config& config, const WorkerIdentity& identity);

}  // namespace holdfast::backend
