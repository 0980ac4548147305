// Arguments: the command line of holdfastd.
//
// Errors:    ParseArguments(): kInvalid with what is wrong; --help and --version are not errors, they
//            come back as text to print.
#pragma once

#include <cstdint>
#include <string>

#include "backend/core/config.h"
#include "backend/supervisor/restore_backup.h"
#include "common/base/result.h"

namespace holdfast::backend {

struct Arguments {
  enum class Command : std::uint8_t {
    kSupervise,
    kCheckConfig,
    kWorker,
    kPrint,
    kOrder,
    kBackup,
    kRestore,
    kMigrateStore
  };
  Command command = Command::kSupervise;
  std::string config_file;
  WorkerIdentity identity;  // kWorker
  std::string text;         // kPrint: what; kOrder: "roll", "reload" or "scale N"; kBackup: FILE;
                            // kMigrateStore: a URL or kToFile
  RestoreOptions restore;   // kRestore
};
Result<Arguments> ParseArguments(int argc, const char* const* argv);

}  // namespace holdfast::backend
