// holdfast-agent-yara: looks through files and memory by YARA rules, for a worker of holdfast-agent that started it.
#include <cstdio>
#include <cstring>

#include <yara.h>

#include "agent/yara/confine.h"
#include "agent/yara/scanner.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "version") == 0) {
    std::printf("holdfast-agent-yara %s, YARA %s\n", HOLDFAST_VERSION, YR_VERSION);
    return 0;
  }
  if (argc != 2 || std::strcmp(argv[1], "worker") != 0) {
    std::fputs("holdfast-agent-yara is started by holdfast-agent; see: holdfast scan\n", stderr);
    return 2;
  }
  // Before a byte of rules or files.
  if (!holdfast::yara::Confine()) return 3;
  const std::uint32_t data_bytes = holdfast::agent::kMaxScanDataBytes;
  if (yr_initialize() != ERROR_SUCCESS ||
      yr_set_configuration_uint32(YR_CONFIG_MAX_MATCH_DATA, data_bytes) != ERROR_SUCCESS) {
    return 4;
  }
  return holdfast::yara::Scanner(0).Run();
}
