// What warden and a worker say to each other.
//
// A worker is this program again (`holdfast-agent worker`), one per command, in its own session and
// process group. fd 0: the request, u32le length | serialized holdfast.command.v1.Command (bytes as
// signed), then u32le length | state directory, then u32le length | path of the fetched blob (may
// be empty), then EOF or nothing; of a pty frames u32le length | u64le seq | sealed, at most
// kMaxInputFrameBytes each. fd 1: messages u8 type | u32le length | payload. fd 2: the
// agent's log.
//
// Ordering:  any number of kOutput, then exactly one kExit. End of file without kExit: WORKER_DIED.
// Limits:    kMaxWorkerMessageBytes. Warden stops reading when the spool is full: the worker
// blocks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::agent {

enum class WorkerMessageType : std::uint8_t {
  kOutput = 1,  // bytes of the output, appended in order (format by verb: result.proto)
  // serialized holdfast.command.v1.Result with only: outcome (DONE or FAILED), failure, message,
  // exit_code, truncated, file, rows, footprint. Warden fills in the rest and signs.
  kExit = 2,
  // pty: the 65 bytes of the key that it made for this session; once, before any output. Warden signs it.
  kSessionKey = 3,
};

// PIPE_BUF: a write of it to a pipe is whole or fails, and warden never waits for a worker.
inline constexpr std::size_t kMaxInputFrameBytes = 4096;
inline constexpr std::size_t kInputFrameHeaderBytes = 12;

// One chunk of the link, so that a full message becomes one chunk.
inline constexpr std::size_t kMaxWorkerMessageBytes = std::size_t{256} * 1024;

}  // namespace holdfast::agent
