// PostgresStore: the port Store on a PostgreSQL database: one session, one pipeline, one control.
//
// Same promises as SqliteStore: what Commit() confirmed is on the server's disk (synchronous_commit = on; a server
// with fsync = off is refused). While the server is away everything fails with kUnavailable, and the store connects
// again by itself; waits are those of PostgresConnection.
//
// Ordering:  a write that a row forbids (kExists) is told by the next read or by Commit(), not by the write itself.
// Ownership: owns the session.
// Threading: loop thread only; a commit blocks for one round trip and one fsync there.
// Errors:    as Store says; Open: as PostgresConnection::Open.
// Design:    docs/decisions/0130-the-record-in-postgresql.md
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/core/store.h"

namespace holdfast::backend {

class PostgresRecord : public Store {
 public:
  // Once a second, between turns: a session that ended is noticed and replaced.
  virtual void Keep() = 0;
  // Why this process must end: it is fenced off, or its memory is behind the record.
  virtual std::optional<Error> must_reload() const = 0;
  // Of the record since this process took it over: for the next process of this host.
  virtual std::uint64_t epoch() const = 0;
};
// `name` tells this process from all others; `on_progress` as OpenSqliteStore(); `last_epoch`: epoch() of the last
// process of this host, 0 if not known.
Result<std::unique_ptr<PostgresRecord>> OpenPostgresStore(
    const std::string& url, const std::string& name, std::function<void()> on_progress = nullptr,
    std::uint64_t last_epoch = 0);

// In words for check-config and for a start: Ok, or what stands in the way. `must_be_free`: a control that has it
// open is in the way, too.
Status CheckPostgres(const std::string& url, bool must_be_free);

}  // namespace holdfast::backend
