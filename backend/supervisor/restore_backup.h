// RestoreBackup: `holdfastd restore FILE --dir D`, from the word to the exit status.
//
//   FILE --> (all of it, every hash) --> D/server.restoring --> BeginAnew --> D/server
//
// Nothing is put in place before the whole backup was read and is what its manifest says; what is in the way is
// refused, or with `replace` moved aside, never deleted. The state goes where the restored configuration wants it.
//
// Errors:    kExists: there is something already, or a holdfastd runs on it. kUnsupported: of a later program than
//            this. kCorrupt: not whole, or changed. kCancelled: interrupted. Whatever fails, nothing is left; more in
//            restore_staging.h.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <string>

#include "common/base/result.h"

namespace holdfast::backend {

struct RestoreOptions {
  std::string file;         // "-": standard input
  std::string dir;          // the fleet's directory; empty: `check_only`
  bool replace = false;     // move away what is there
  bool check_only = false;  // read and verify; put nothing anywhere
  std::string state;  // the backup's state.dir, if it lies outside of `dir`: else that is refused
};
Result<int> RestoreBackup(const RestoreOptions& options);

}  // namespace holdfast::backend
