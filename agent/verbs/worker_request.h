// WorkerRequest: what a worker is asked to do, as warden writes it on the worker's fd 0.
//
//   u32le length | Command    u32le length | state directory    u32le length | blob path
//
// Limits:    a command is at most 64 KiB (what an envelope holds), a path 4 KiB; checked before
// reading. Threading: pure functions. Errors:    kCorrupt: a length above its limit, or a Command
// that does not parse.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::agent {

struct WorkerRequest {
  command::v1::Command command;
  std::string signed_bytes;  // of a pty: the command's payload, whose digest is its name
  std::string state_dir;
  std::string blob_path;
};

struct RequestProgress {
  std::size_t missing_bytes = 0;  // read exactly so many more and ask again; 0: request is whole
  WorkerRequest request;
};

// `bytes`: everything read so far. The sender may keep its end open, so nothing beyond the request
// is ever asked for.
Result<RequestProgress> ParseWorkerRequest(std::string_view bytes);

// Reads one from a file descriptor; kUnavailable when it ends early.
Result<WorkerRequest> ReadWorkerRequest(int fd);

}  // namespace holdfast::agent
