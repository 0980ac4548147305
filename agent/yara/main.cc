// holdfast-agent-yara: looks through files and memory by YARA rules, for a worker of holdfast-agent that started it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <yara.h>

#include "agent/verbs/pace.h"
#include "agent/yara/confine.h"
#include "agent/yara/scanner.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "version") == 0) {
    std::printf("holdfast-agent-yara %s, YARA %s\n", HOLDFAST_VERSION, YR_VERSION);
    return 0;
  }
  if (argc != 5 || std::strcmp(argv[1], "worker") != 0) {
    std::fputs("holdfast-agent-yara is started by holdfast-agent; see: holdfast scan\n", stderr);
    return 2;
  }
  const holdfast::agent::PacePlan pace = {
      .cpu_percent = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)),
      .disk_bytes_per_s = std::strtoull(argv[3], nullptr, 10),
      .burst_ms = std::strtoull(argv[4], nullptr, 10)};
  // Before a byte of rules or files. The pace first: what it takes cannot be opened or made afterwards.
  if (!holdfast::agent::BeginPace(pace) || !holdfast::yara::Confine()) return 3;
  const std::uint32_t data_bytes = holdfast::agent::kMaxScanDataBytes;
  if (yr_initialize() != ERROR_SUCCESS ||
      yr_set_configuration_uint32(YR_CONFIG_MAX_MATCH_DATA, data_bytes) != ERROR_SUCCESS) {
    return 4;
  }
  return holdfast::yara::Scanner(0).Run();
}
