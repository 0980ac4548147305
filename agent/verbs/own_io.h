// OwnIo: what this process, and the children that it has waited for, read from disks and wrote to them, as the kernel
// counts it (proc(5), /proc/PID/io). All 0 where the kernel does not count.
//
// Threading: ReadOwnIo() is async-signal-safe.
#pragma once

#include <cstdint>

namespace holdfast::agent {

struct OwnIo {
  std::uint64_t disk_read_bytes = 0;
  std::uint64_t disk_written_bytes = 0;
};

int OpenOwnIo();  // stays open for the life of the process; -1: there is none
OwnIo ReadOwnIo(int file);

}  // namespace holdfast::agent
