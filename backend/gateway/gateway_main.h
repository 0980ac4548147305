// RunGateway: the gateway process, from the sockets its supervisor passes to the exit status.
#pragma once

#include "backend/core/config.h"

namespace holdfast::backend {

int RunGateway(const Config& config, const WorkerIdentity& identity);

}  // namespace holdfast::backend
