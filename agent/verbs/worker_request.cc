#include "agent/verbs/worker_request.h"

#include <array>
#include <cerrno>
#include <cstdint>

#include <unistd.h>

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxCommandBytes = std::size_t{64} * 1024;  // Envelope.payload is <= 60 KiB
constexpr std::size_t kMaxPathBytes = 4096;                       // PATH_MAX
constexpr std::size_t kLengthBytes = 4;

std::size_t ReadU32(std::string_view at) {
  std::size_t value = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(at[i]);
  }
  return value;
}

}  // namespace

Result<RequestProgress> ParseWorkerRequest(std::string_view bytes) {
  constexpr std::array<std::size_t, 3> kLimits = {kMaxCommandBytes, kMaxPathBytes, kMaxPathBytes};
  std::array<std::string_view, 3> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (bytes.size() < kLengthBytes) {
      return RequestProgress{.missing_bytes = kLengthBytes - bytes.size(), .request = {}};
    }
    const std::size_t length = ReadU32(bytes);
    if (length > kLimits[i]) return Error{Code::kCorrupt, "a part of the request is too long"};
    bytes.remove_prefix(kLengthBytes);
    if (bytes.size() < length) {
      return RequestProgress{.missing_bytes = length - bytes.size(), .request = {}};
    }
    parts[i] = bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  RequestProgress whole;
  if (!whole.request.command.ParseFromArray(parts[0].data(), static_cast<int>(parts[0].size()))) {
    return Error{Code::kCorrupt, "the command does not parse"};
  }
  if (whole.request.command.has_pty()) whole.request.signed_bytes = parts[0];
  whole.request.state_dir = parts[1];
  whole.request.blob_path = parts[2];
  return whole;
}

Result<WorkerRequest> ReadWorkerRequest(int fd) {
  std::string bytes;
  while (true) {
    HF_ASSIGN_OR_RETURN(RequestProgress progress, ParseWorkerRequest(bytes));
    if (progress.missing_bytes == 0) return std::move(progress.request);
    std::size_t at = bytes.size();
    bytes.resize(at + progress.missing_bytes);
    while (at < bytes.size()) {
      const ssize_t got = read(fd, bytes.data() + at, bytes.size() - at);
      if (got < 0 && errno == EINTR) continue;
      if (got == 0 && at == 0) return Error{Code::kCancelled, "no request came"};
      if (got <= 0) return Error{Code::kUnavailable, "the request ended early"};
      at += static_cast<std::size_t>(got);
    }
  }
}

}  // namespace holdfast::agent
