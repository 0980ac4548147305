// Every SQL text of the journal. Columns of `commands` in one order everywhere.
#pragma once

#include <cstdint>

namespace holdfast::agent::sql {

#define HF_COMMAND_COLUMNS                                                                \
  "digest, command_id, state, attempt, received_at, started_at, not_after, chunk_count, " \
  "envelope, cert, result, inline_output, mac, recoveries"

// The schema is compared word by word at each open: nothing seals it, and a type or a constraint that has rotted
// shows only when rows are written.
#define HF_META                                                                                \
  "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), incarnation BLOB, birth INTEGER," \
  " epoch INTEGER, contact BLOB, time_floor INTEGER, row_count INTEGER, sum_low INTEGER,"      \
  " sum_high INTEGER, mac BLOB"
#define HF_COMMANDS                                                                        \
  "CREATE TABLE commands(number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE,"         \
  " command_id BLOB NOT NULL UNIQUE, state INTEGER, attempt INTEGER, received_at INTEGER," \
  " started_at INTEGER, not_after INTEGER, chunk_count INTEGER, envelope BLOB, cert BLOB," \
  " result BLOB, inline_output BLOB, mac BLOB"
#define HF_IS_CLEAN "is_clean INTEGER NOT NULL DEFAULT 0"
#define HF_RECOVERIES "recoveries INTEGER NOT NULL DEFAULT 0"

inline constexpr char kMeta[] = HF_META ", " HF_IS_CLEAN ")";
inline constexpr char kCommands[] = HF_COMMANDS ", " HF_RECOVERIES ")";
// Those of before. Where a later column is 0 the seals are those from then, so that nothing has to be sealed anew.
inline constexpr char kMetaBefore[] = HF_META ")";
inline constexpr char kCommandsBefore[] = HF_COMMANDS ")";
// Leaves exactly the texts above.
inline constexpr char kAddLaterColumns[] =
    "ALTER TABLE meta ADD COLUMN " HF_IS_CLEAN ";ALTER TABLE commands ADD COLUMN " HF_RECOVERIES;
// How many things there are, and how many of them are these two tables.
inline constexpr char kCountSchema[] =
    "SELECT count(*), sum(type = 'table' AND tbl_name = name AND"
    " (name = 'meta' AND sql = CAST(?1 AS TEXT) OR name = 'commands' AND sql = CAST(?2 AS TEXT))) "
    "FROM sqlite_schema";
inline constexpr std::uint64_t kThings = 4;  // two tables, and an index for each UNIQUE
// Of what kMeta and kCommands say.
inline constexpr char kSchema[] = HF_META ", " HF_IS_CLEAN ");" HF_COMMANDS ", " HF_RECOVERIES ")";
inline constexpr char kSelectMeta[] =
    "SELECT incarnation, birth, epoch, contact, time_floor, row_count, sum_low, sum_high, mac,"
    " is_clean FROM meta";
inline constexpr char kReplaceMeta[] =
    "INSERT OR REPLACE INTO meta(one, incarnation, birth, epoch, contact, time_floor, row_count,"
    " sum_low, sum_high, mac, is_clean) VALUES(1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr char kInsert[] =
    "INSERT INTO commands(" HF_COMMAND_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr char kUpdate[] =
    "UPDATE commands SET command_id = ?2, state = ?3, attempt = ?4, received_at = ?5,"
    " started_at = ?6, not_after = ?7, chunk_count = ?8, envelope = ?9, cert = ?10, result = ?11,"
    " inline_output = ?12, mac = ?13, recoveries = ?14 WHERE digest = ?1";
inline constexpr char kDelete[] = "DELETE FROM commands WHERE digest = ?";
inline constexpr char kSelectOpen[] = "SELECT digest FROM commands WHERE state < ?";
inline constexpr char kSelectAll[] = "SELECT " HF_COMMAND_COLUMNS " FROM commands ORDER BY number";
inline constexpr char kSelectByDigest[] =
    "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE digest = ?";
inline constexpr char kSelectById[] =
    "SELECT " HF_COMMAND_COLUMNS " FROM commands WHERE command_id = ?";
// A bounded piece at a time: the next purge takes the rest.
inline constexpr char kSelectOld[] =
    "SELECT digest FROM commands WHERE state = ? AND not_after < ? LIMIT 1000";
inline constexpr char kCount[] = "SELECT state, count(*) FROM commands GROUP BY state";

#undef HF_COMMAND_COLUMNS
#undef HF_META
#undef HF_COMMANDS
#undef HF_IS_CLEAN
#undef HF_RECOVERIES

}  // namespace holdfast::agent::sql
