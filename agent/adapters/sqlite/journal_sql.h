// Every SQL text of the journal. Columns of `commands` in one order everywhere.
#pragma once

#include <cstdint>

namespace holdfast::agent::sql {

#define HF_COMMAND_COLUMNS                                                                \
  "digest, command_id, state, attempt, received_at, started_at, not_after, chunk_count, " \
  "envelope, cert, result, inline_output, mac, recoveries"

inline constexpr char kSchema[] =
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), incarnation BLOB, birth INTEGER,"
    " epoch INTEGER, contact BLOB, time_floor INTEGER, row_count INTEGER, sum_low INTEGER,"
    " sum_high INTEGER, mac BLOB, is_clean INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE commands(number INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE,"
    " command_id BLOB NOT NULL UNIQUE, state INTEGER, attempt INTEGER, received_at INTEGER,"
    " started_at INTEGER, not_after INTEGER, chunk_count INTEGER, envelope BLOB, cert BLOB,"
    " result BLOB, inline_output BLOB, mac BLOB, recoveries INTEGER NOT NULL DEFAULT 0);";
// What came later. Where it is 0 the seals are those from before, so that nothing has to be sealed anew. The
// columns themselves say whether they are there: a version number would be one more thing that can rot.
inline constexpr char kCountLaterColumns[] =
    "SELECT (SELECT count(*) FROM pragma_table_info('meta') WHERE name = 'is_clean') +"
    " (SELECT count(*) FROM pragma_table_info('commands') WHERE name = 'recoveries')";
inline constexpr std::uint64_t kLaterColumns = 2;
inline constexpr char kAddLaterColumns[] =
    "ALTER TABLE meta ADD COLUMN is_clean INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE commands ADD COLUMN recoveries INTEGER NOT NULL DEFAULT 0;";
inline constexpr char kHasTables[] =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('meta', 'commands')";
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

}  // namespace holdfast::agent::sql
