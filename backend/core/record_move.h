// MoveRecord: a record into a database that has none, and then every row of both beside each other.
//
// Ordering:  the target is committed when all rows were compared, and not before: one that was interrupted has none.
//            The source is read, never written.
// Threading: pure, over its ports.
// Errors:    kExists: the target has rows; nothing was written. kCancelled: `stop` said so. kInternal: a row that is not
//            what was put there. The ports' own.
// Design:    docs/decisions/0151-a-record-is-moved-whole.md
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "backend/core/record_rows.h"

namespace holdfast::backend {

struct MovedRecord {
  std::array<std::uint64_t, kRecordTables.size()> rows{};  // in the order of kRecordTables
  std::uint64_t bytes = 0;                                 // of cells
};

struct MoveOptions {
  std::function<bool()> stop;
  // "copying" or "comparing", and the bytes of cells so far, of `total`; 0: not known.
  std::function<void(std::string_view doing, std::uint64_t bytes, std::uint64_t total)> on_progress;
  std::function<void(RecordTable table, const RecordRow& row)> on_row;  // each, as it is copied
  // From here on an error does not say that the target has nothing: the answer to a commit may be what was lost.
  std::function<void()> on_commit;
};

Result<MovedRecord> MoveRecord(RecordRows& from, RecordRows& to, const MoveOptions& options);

}  // namespace holdfast::backend
