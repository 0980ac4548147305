#include "agent/core/worker_limits.h"

#include "agent/core/limits.h"

namespace holdfast::agent {

WorkerLimits EffectiveLimits(const command::v1::Command& command) {
  const command::v1::Limits& named = command.limits();
  const bool transfer = command.has_get() || command.has_cat() || command.has_put() ||
                        command.has_archive() || command.has_collect() || command.has_memdump();
  const bool looks_through = command.has_query() || command.has_ls() || command.has_find() ||
                             command.has_hash() || command.has_archive() || command.has_collect() ||
                             command.has_scan();
  const bool pty = command.has_pty();
  const Duration wall = pty                    ? kDefaultPtyWall
                        : transfer             ? kDefaultTransferWall
                        : command.has_update() ? kDefaultUpdateWall
                        : command.has_scan()   ? kDefaultScanWall
                                               : kDefaultWall;
  // What is as long on its way as its line is slow computes now and then, for as long.
  const Duration cpu = transfer || pty || command.has_scan() ? wall : kDefaultCpu;
  const auto or_else = [](std::uint64_t value, auto normal) {
    return value != 0 ? value : static_cast<std::uint64_t>(normal);
  };
  return {
      .wall_ms = or_else(named.wall_ms(), wall.count()),
      .cpu_ms = or_else(named.cpu_ms(), cpu.count()),
      // get and cat stop at the size that the file had when it was opened, and so does each of archive's;
      // collect has bounds of its own, and memory is its own.
      .out_bytes = or_else(named.out_bytes(), transfer ? UINT64_MAX
                                              : pty    ? kDefaultPtyBytes
                                                       : kDefaultOutBytes),
      .mem_bytes = or_else(named.mem_bytes(), pty ? kDefaultPtyMemBytes : kDefaultMemBytes),
      .rows = or_else(named.rows(), kDefaultRows),
      .processes = named.processes() != 0 ? named.processes() : kDefaultProcesses,
      .cpu_percent = !looks_through            ? 100
                     : named.cpu_percent() > 0 ? named.cpu_percent()
                                               : kDefaultCpuPercent,
      .disk_bytes_per_s =
          looks_through ? or_else(named.disk_bytes_per_s(), kDefaultDiskBytesPerSecond) : 0,
  };
}

}  // namespace holdfast::agent
