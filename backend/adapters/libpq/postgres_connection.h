// PostgresConnection: the one session with the database that holds the record, and its transaction.
//
// Statements are sent in pipeline mode: a write goes out without waiting, and a commit (or a read, which must see
// the writes before it) collects all answers at once. So a turn costs one round trip, however many rows it writes.
//
//   Write Write ... Commit          BEGIN, fence, rows, COMMIT: one flight, one fsync there
//   Read                            with what was written before it, one flight
//
// One control writes. Three things see to it:
//   - a session-level advisory lock on the schema: a second control is refused at its start, in words;
//   - holdfast_owner.epoch, raised by each control that starts. Each transaction begins with an UPDATE of that row
//     that fails unless the epoch is still ours: a control that was cut off writes nothing after another began;
//   - holdfast_owner.turn, raised by each transaction. Whether a commit whose answer was lost took effect is read
//     from it after the next connect. If it did, the core's memory is behind the record: must_reload().
//
// Ordering:  a session that ends takes its turn with it: everything fails until Rollback(); the next call connects anew.
// Limits:    every wait has a bound, below; a silent process is killed after 15 s.
// Ownership: owns the PGconn.
// Threading: loop thread only.
// Errors:    as Store says; Open() also kExists (another control has it), kDenied (who we are), kUnsupported (schema, server), kInvalid (URL).
// Design:    docs/decisions/0130-the-record-in-postgresql.md
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include "backend/adapters/libpq/postgres_values.h"
#include "common/base/result.h"

namespace holdfast::backend {

struct PostgresCloser {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};
using PostgresResult = std::unique_ptr<PGresult, PostgresCloser>;

class PostgresConnection {
 public:
  // Without an answer for so long the session is given up. Below the 15 s of a silent process with a turn's two.
  static constexpr std::chrono::milliseconds kAnswerWait{5000};
  // At a start: until the server has answered.
  static constexpr std::chrono::milliseconds kOpenWait{5000};
  // Later: of the loop's time, at once; and the pause after it.
  static constexpr std::chrono::milliseconds kConnectSlice{50};
  static constexpr std::chrono::milliseconds kConnectPause{200};
  // A control that was just killed may leave its lock for a moment.
  static constexpr std::chrono::milliseconds kLockWait{2000};
  // Later: held by somebody else for so long, the record is theirs.
  static constexpr std::chrono::milliseconds kRefusedWait{5000};

  struct Options {
    std::string url;   // as libpq takes it
    std::string name;  // application_name: distinct for each process
    std::function<void()> on_progress;
    // For who is no control, and has time.
    std::function<bool()> stop =
        nullptr;  // asked while an answer is awaited: true gives the session up
    std::chrono::milliseconds answer_wait = kAnswerWait;
    const char* idle_in_transaction = "10s";
    // The record's epoch when a process of ours had it last; 0: not known. While it is still that, whoever holds the
    // lock is a session that we have left behind.
    std::uint64_t last_epoch = 0;
  };
  using OnRow = std::function<void(const PostgresRow&)>;

  // `statements` are prepared by each session; Write() and Read() name them by their index.
  static Result<std::unique_ptr<PostgresConnection>> Open(Options options,
                                                          std::span<const char* const> schema,
                                                          std::span<const char* const> statements);
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  Status Write(std::size_t statement, const PostgresValues& values);
  Status Read(std::size_t statement, const PostgresValues& values, const OnRow& on_row);
  Status Commit();
  void Rollback();

  // Connects again if it must, and notices a session that ended while nobody asked. For each second.
  void Keep();
  // Another control took the record, or it has a turn that ours does not know of: nothing more is read or written.
  // The process must end; the next one loads what is there.
  const std::optional<Error>& must_reload() const { return must_reload_; }
  // Of the record since this one took it over.
  std::uint64_t epoch() const { return epoch_; }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Kind : std::uint8_t { kBegin, kFence, kCommit, kRollback, kOwn, kCount };

  PostgresConnection(Options options, std::span<const char* const> statements)
      : options_(std::move(options)), statements_(statements) {}

  Status Ensure();
  Status Connect(std::chrono::milliseconds at_most);
  Status Introduce();
  // kExists: another one has it; kUnavailable: what we have left behind has it still.
  Status TakeLock(std::chrono::milliseconds at_most);
  bool IsHeldByRemains();
  Status Migrate(std::span<const char* const> steps);
  Status TakeOver();
  Status StillOwner();
  Status Prepare();
  Error Lost(std::string_view why);

  Status Send(Kind kind, std::size_t statement, const PostgresValues& values);
  Result<PostgresResult> Next(Clock::time_point& deadline);
  Status Sync(const OnRow* on_row);
  // Outside of the pipeline.
  Result<PostgresResult> Ask(const char* sql, const PostgresValues& values = PostgresValues());

  const Options options_;
  const std::span<const char* const> statements_;
  std::unique_ptr<PGconn, PostgresCloser> connection_;  // ready for statements
  std::unique_ptr<PGconn, PostgresCloser> connecting_;  // not yet
  bool wants_write_ = false;                            // what PQconnectPoll waits for
  Clock::time_point connect_until_{};
  Clock::time_point retry_at_{};
  std::optional<Error> away_;                       // why there is no session
  std::optional<Clock::time_point> refused_since_;  // the lock, each time since then
  std::size_t sent_ = 0;                            // statements since the last Sync()
  std::optional<std::size_t> fence_at_;
  bool committed_ = false;  // the last Sync() saw COMMIT succeed
  bool in_turn_ = false;
  std::optional<Error> broken_;  // the first failure of this turn
  std::uint64_t epoch_ = 0;
  std::uint64_t turn_ = 0;
  std::optional<Error> must_reload_;
};

// What stands in the way of a control with this URL, without taking anything: the server, who we are, the schema.
struct PostgresState {
  bool held = false;           // a control has it
  std::uint64_t schema = 0;    // 0: none yet
  std::string server_version;  // for people
};
Result<PostgresState> LookAtPostgres(const std::string& url, std::uint64_t newest_schema);

}  // namespace holdfast::backend
