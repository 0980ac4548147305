// RunWorker: one command, run in a process of its own. agent/core/worker_messages.h is the
// contract.
#pragma once

namespace holdfast::agent {

// Reads the request on fd 0, answers on fd 1, returns the process's exit status: 0 when an Exit
// message was written, 1 when the request could not be read.
int RunWorker();

}  // namespace holdfast::agent
