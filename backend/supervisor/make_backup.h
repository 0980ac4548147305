// MakeBackup: `holdfastd backup FILE`, from the word to the exit status.
//
// Of the holdfastd that runs on this configuration's state, or of the state itself if none does: the ledger as it
// is at one moment, every output and upload that it may name, the configuration and the files that it names. Not the
// keys that do not belong on a backend (offline, issuer, operators, the TLS authority's).
//
//   control's copy of the ledger (LedgerCopy) --> FILE.part-... --> fsync --> FILE
//
// Limits:    needs free space for the copy beside the ledger, and for the backup where FILE is: looked at before
//            anything is written. FILE "-": standard output, for a pipe; then nothing is looked at.
// Errors:    kExists: FILE is there. kExhausted: no room. kCancelled: interrupted. Whatever fails, nothing is left.
//            1: the backup is there, and says which results could not be read or are not what they were.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <string>

#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

Result<int> MakeBackup(const Config& config, const std::string& file);

}  // namespace holdfast::backend
