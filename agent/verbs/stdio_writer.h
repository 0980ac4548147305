// StdioWriter: bytes of a numbered stream to StdioChunk messages on the channel (result.proto).
//
// Limits:    the channel's out_bytes: what fits goes out, in whole chunks.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/verbs/output_port.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

class StdioWriter {
 public:
  static constexpr std::uint32_t kStdout = 1;
  static constexpr std::uint32_t kStderr = 2;

  explicit StdioWriter(OutputPort& channel) : channel_(channel) {}
  // False: not all of it fitted.
  bool Send(std::uint32_t stream, std::string_view data);

 private:
  OutputPort& channel_;
  command::v1::StdioChunk chunk_;
  std::string encoded_;
};

}  // namespace holdfast::agent
