// CopyFolder: where the copy of a ledger lies while a backup reads it, and the outputs that it names.
//
//   STATE/backup/ledger.db    STATE/backup/incoming/<name>: growing outputs, by a second link, so that sealing or
//                             dropping them does not take them away
//
// Ordering:  whoever makes it has the rights of the state's owner and no more (ActAs): a backend that finds it left
//            over must be able to remove it.
// Threading: functions on the disk; one backup at a time is their callers' business.
// Errors:    kUnavailable, with the file's name.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <string>

#include "backend/core/store.h"
#include "common/base/result.h"

namespace holdfast::backend {

std::string CopyFolder(const std::string& state_dir);
// Free space for a copy of the ledger, and for what commands bring meanwhile. kExhausted: there is none.
Status CheckRoomForCopy(const std::string& state_dir);
Status MakeCopyFolder(const std::string& state_dir);  // empty; whatever was left there is gone
void RemoveCopyFolder(const std::string& state_dir);
// In the turn in which the copy became whole: what it says is stored of a growing output is in these. Sealed outputs
// are never deleted, and need no link.
Status HoldIncoming(Store& ledger, const std::string& state_dir);

}  // namespace holdfast::backend
