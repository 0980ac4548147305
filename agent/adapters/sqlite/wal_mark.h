// WalMark: how far a write-ahead log had been committed, as its index (-shm) says.
//
// SQLite takes a damaged or shortened log up to the first frame that does not fit, and says nothing: what was
// committed behind it is gone, and the journal is consistent in itself. The index counts a commit only after its
// fsync, and outlives the process; so what it counted must still be there when the log has been read anew.
//
//   before = ReadWalMark(path); open the database, read from it; IsKept(before, ReadWalMark(db))
//
// Ordering: the file is read before this process opens the database, never after: closing it ends all locks that
//           the process has on it (fcntl(2)), and the next to look into the journal would cut the index under us.
// Limits: no index (an orderly end, a machine that lost power before it reached the disk, a damaged one) proves
//         nothing; what control has heard of the journal then counts (decisions/0048).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/adapters/sqlite/sqlite_db.h"

namespace holdfast::agent {

struct WalMark {
  std::uint32_t frames = 0;      // committed, in this generation of the log
  std::uint32_t generation = 0;  // one more each time that the log begins at its start again
  std::uint32_t salt = 0;        // of this generation, by chance
};

// Of the database at `path`; nullopt: there is no index, or not a whole one.
std::optional<WalMark> ReadWalMark(const std::string& path);
// Of the index as the open connection has it.
std::optional<WalMark> ReadWalMark(SqliteDb& db);

// `now`: after the log was read anew.
bool IsKept(const WalMark& before, const std::optional<WalMark>& now);

}  // namespace holdfast::agent
