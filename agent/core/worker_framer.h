// WorkerFramer: bytes of a worker's pipe to messages (agent/core/worker_messages.h).
//
// Made for reading straight from the pipe into place: WantBytes() says how much one read should
// bring (the rest of the current message and the next header), so a full message costs one read and
// no move.
//
//   WantBytes Space OnRead -> [WorkerFramer] -> Next()
//
// Limits:    kMaxWorkerMessageBytes and one buffer of that size; a longer message is an error for
// good. Ownership: the view that Next() gives is valid until the next Space(). Threading:
// thread-compatible. Errors:    Next(): kInvalid: a length above the limit or an unknown type; the
// worker is broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/worker_messages.h"
#include "common/base/result.h"

namespace holdfast::agent {

struct WorkerMessageView {
  WorkerMessageType type;
  std::string_view payload;
};

void AppendWorkerMessage(std::string& out, WorkerMessageType type, std::string_view payload);

class WorkerFramer {
 public:
  // Where the next read() goes, and how many bytes at most; never 0 once Next() gave nullopt.
  char* Space(std::size_t& capacity);
  void OnRead(std::size_t bytes);
  Result<std::optional<WorkerMessageView>> Next();
  bool has_message() const;  // Next() would give one
  bool empty() const { return at_ == end_; }

 private:
  std::size_t Need() const;  // bytes of the message at at_, as far as known, and a header
  std::vector<char> buffer_;
  std::size_t at_ = 0;   // start of the current message
  std::size_t end_ = 0;  // bytes read
  bool broken_ = false;
};

}  // namespace holdfast::agent
