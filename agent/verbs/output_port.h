// OutputPort: where a verb writes its output: the channel to warden, or a thing of a collection.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::agent {

class OutputPort {
 public:
  virtual ~OutputPort() = default;
  // False once the output is full: the part that fitted was taken, the verb should end.
  virtual bool Output(std::string_view bytes) = 0;
  virtual std::uint64_t room_bytes() const = 0;
  virtual std::uint64_t written_bytes() const = 0;
};

}  // namespace holdfast::agent
