// MemoryCopy: bytes of memory, read from a file that has holes of its own (/proc/PID/mem, /proc/kcore), to the output.
//
// What cannot be read (a device's registers, a page that the kernel keeps for itself) is sent as zeros and counted,
// so that everything lies where it belongs.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/verbs/output_port.h"

namespace holdfast::agent {

class MemoryCopy {
 public:
  enum class End : std::uint8_t { kWhole, kFull, kGone };

  MemoryCopy(int fd, OutputPort& out, std::uint64_t page_bytes);
  // kFull: the output is; kGone: nothing is there any more. `address` is what it is called in messages.
  End Copy(std::uint64_t offset, std::uint64_t bytes, std::uint64_t address);
  std::uint64_t copied_bytes() const { return copied_; }
  // "; 2 pages could not be read and are zeros, the first at 0x7f00"; empty: all were read.
  std::string Unreadable() const;

 private:
  int fd_;
  OutputPort& out_;
  std::uint64_t page_bytes_;
  std::unique_ptr<char[]> buffer_;
  std::uint64_t copied_ = 0;
  std::uint64_t unreadable_ = 0;        // pages
  std::uint64_t first_unreadable_ = 0;  // address
};

std::string HexAddress(std::uint64_t address);

}  // namespace holdfast::agent
