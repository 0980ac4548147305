#include "backend/adapters/libpq/postgres_connection.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <poll.h>

namespace holdfast::backend {
namespace {

using std::chrono::milliseconds;

// SQL's own names of what went wrong: https://www.postgresql.org/docs/current/errcodes-appendix.html
Error PostgresError(std::string_view state, std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  text.insert(0, "store: ");
  if (state.starts_with("23")) return {Code::kExists, std::move(text)};
  if (state.starts_with("28") || state == "42501") return {Code::kDenied, std::move(text)};
  if (state.starts_with("XX")) return {Code::kCorrupt, std::move(text)};
  for (const char* const away : {"08", "25", "40", "53", "55", "57", "58"}) {
    if (state.starts_with(away)) return {Code::kUnavailable, std::move(text)};
  }
  if (state.empty()) return {Code::kUnavailable, std::move(text)};
  return {Code::kInternal, std::move(text)};
}

Error ResultError(const PGresult* result) {
  const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* const text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return PostgresError(state != nullptr ? state : "",
                       text != nullptr ? text : PQresultErrorMessage(result));
}

bool IsError(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
         status == PGRES_PIPELINE_ABORTED;
}

// false: not within the time.
bool WaitFor(const PGconn* connection, short events, milliseconds at_most) {
  pollfd waited{PQsocket(connection), events, 0};
  return ::poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(0, at_most.count()))) > 0;
}

milliseconds Until(std::chrono::steady_clock::time_point when) {
  return std::chrono::ceil<milliseconds>(when - std::chrono::steady_clock::now());
}

// Values as libpq takes them: all binary, none NULL.
struct Wire {
  explicit Wire(const PostgresValues& values) {
    for (const std::string& cell : values.cells()) {
      data.push_back(cell.data());
      sizes.push_back(static_cast<int>(cell.size()));
      formats.push_back(1);
    }
  }
  int count() const { return static_cast<int>(data.size()); }
  std::vector<const char*> data;
  std::vector<int> sizes;
  std::vector<int> formats;
};

std::string StatementName(std::size_t index) { return "holdfast_" + std::to_string(index); }

// One lock a schema, so that several fleets may share a database. The first key is "hold" in ASCII.
#define HF_LOCK_KEYS "1752132708, hashtext(current_schema()::text)"

constexpr const char* kOwnStatements[] = {
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    // No row is another control's: 1/0 ends the transaction where it stands.
    "WITH ours AS (UPDATE holdfast_owner SET turn = turn + 1 WHERE epoch = $1 RETURNING turn)"
    " SELECT 1 / count(*) FROM ours",
    "COMMIT",
    "ROLLBACK",
};

}  // namespace

// --- a session ------------------------------------------------------------------------------------

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(
    Options options, std::span<const char* const> schema, std::span<const char* const> statements) {
  std::unique_ptr<PostgresConnection> out(new PostgresConnection(std::move(options), statements));
  const auto until = Clock::now() + kOpenWait;
  Status connected = out->Connect(kOpenWait);
  while (!connected.ok() && out->connecting_ != nullptr && Clock::now() < until) {
    connected = out->Connect(Until(until));
  }
  HF_TRY(std::move(connected));
  HF_TRY(out->Introduce());
  HF_TRY(out->TakeLock(kLockWait));
  HF_TRY(out->Migrate(schema));
  HF_TRY(out->TakeOver());
  HF_TRY(out->Prepare());
  return out;
}

// Begins to connect or goes on with it, for `at_most` of the caller's time.
Status PostgresConnection::Connect(milliseconds at_most) {
  const auto until = Clock::now() + at_most;
  if (connecting_ == nullptr) {
    // The first ones give way to what the URL says, application_name does not.
    constexpr const char* kNames[] = {
        "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
        "dbname",          "application_name",    "client_encoding",  nullptr};
    const char* const values[] = {
        "5", "2", "2", "5000", options_.url.c_str(), options_.name.c_str(), "UTF8", nullptr};
    connecting_.reset(PQconnectStartParams(kNames, values, /*expand_dbname=*/1));
    if (connecting_ == nullptr) return Error{Code::kUnavailable, "store: no memory"};
    wants_write_ = true;
    connect_until_ = Clock::now() + kOpenWait;
  }
  for (;;) {
    PostgresPollingStatusType now = PGRES_POLLING_FAILED;
    if (PQstatus(connecting_.get()) != CONNECTION_BAD) {
      if (!WaitFor(connecting_.get(), wants_write_ ? POLLOUT : POLLIN, Until(until))) {
        if (Clock::now() < connect_until_) {
          return Error{Code::kUnavailable, "store: PostgreSQL does not answer yet"};
        }
        connecting_.reset();
        return Error{Code::kUnavailable, "store: PostgreSQL does not answer"};
      }
      now = PQconnectPoll(connecting_.get());
    }
    if (now == PGRES_POLLING_OK) break;
    if (now == PGRES_POLLING_FAILED) {
      // libpq gives no SQLSTATE of a refused login, and its words never hold the password.
      std::string words = PQerrorMessage(connecting_.get());
      const bool is_denied = words.find("authentication failed") != std::string::npos ||
                             words.find("no password supplied") != std::string::npos ||
                             words.find("no pg_hba.conf entry") != std::string::npos;
      connecting_.reset();
      return PostgresError(is_denied ? "28000" : "", std::move(words));
    }
    wants_write_ = now == PGRES_POLLING_WRITING;
  }
  connection_ = std::move(connecting_);
  (void)PQsetnonblocking(connection_.get(), 1);
  sent_ = 0;
  fence_at_.reset();
  return Ok();
}

// What a session must be, whatever the server's own settings are.
Status PostgresConnection::Introduce() {
  if (PQserverVersion(connection_.get()) < 120000) {
    connection_.reset();
    return Error{Code::kUnsupported, "store: this PostgreSQL is too old; 12 or newer is needed"};
  }
  const std::string idle = std::string("SET idle_in_transaction_session_timeout = '") +
                           options_.idle_in_transaction + "'";
  for (
      const char* const sql :
      {"SET synchronous_commit = on", "SET statement_timeout = '4s'", "SET lock_timeout = '2s'",
       idle.c_str(), "SET tcp_keepalives_idle = 5", "SET tcp_keepalives_interval = 2",
       "SET tcp_keepalives_count = 2",
       // Keepalives say nothing while an answer of the server's is on its way to who is gone: then this ends the session.
       "SET tcp_user_timeout = 9000", "SET client_min_messages = error"}) {
    HF_TRY(Ask(sql));
  }
  HF_ASSIGN_OR_RETURN(const PostgresResult safe, Ask("SELECT current_setting('fsync')::bytea"));
  if (PostgresRow(safe.get(), 0).Bytes(0) != "on") {
    connection_.reset();
    return Error{Code::kUnsupported,
                 "store: this PostgreSQL runs with fsync = off: what it confirms is not on disk"};
  }
  // A session of ours that the network took may still hold the lock, and a commit that nobody answered.
  HF_TRY(
      Ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user"
          " AND datname = current_database() AND pid <> pg_backend_pid()"
          " AND application_name = current_setting('application_name')"));
  return Ok();
}

Status PostgresConnection::TakeLock(milliseconds at_most) {
  const auto until = Clock::now() + at_most;
  constexpr milliseconds kPause{20};
  for (;;) {
    HF_ASSIGN_OR_RETURN(const PostgresResult got,
                        Ask("SELECT pg_try_advisory_lock(" HF_LOCK_KEYS ")::int::bigint"));
    if (PostgresRow(got.get(), 0).Number(0) == 1) return Ok();
    if (Clock::now() >= until) break;
    (void)::poll(nullptr, 0, static_cast<int>(kPause.count()));
  }
  const bool is_held_by_remains = IsHeldByRemains();
  connection_.reset();
  if (is_held_by_remains) {
    return Error{Code::kUnavailable,
                 "store: a session of this holdfastd has not ended yet in PostgreSQL, which may be "
                 "waiting for its disk or a standby"};
  }
  return Error{
      Code::kExists,
      "store: another control has this record open (its advisory lock is held); one fleet, "
      "one running holdfastd"};
}

// Another holdfastd raises the epoch right after it got the lock.
bool PostgresConnection::IsHeldByRemains() {
  const std::uint64_t ours = epoch_ != 0 ? epoch_ : options_.last_epoch;
  if (ours == 0) return false;
  const auto owner = Ask("SELECT epoch FROM holdfast_owner");
  return owner.ok() && PQntuples(owner.value().get()) == 1 &&
         PostgresRow(owner.value().get(), 0).Number(0) == ours;
}

Status PostgresConnection::Migrate(std::span<const char* const> steps) {
  HF_TRY(Ask("CREATE TABLE IF NOT EXISTS holdfast_schema (version bigint NOT NULL)"));
  HF_ASSIGN_OR_RETURN(const PostgresResult said,
                      Ask("SELECT coalesce(max(version), 0) FROM holdfast_schema"));
  const std::uint64_t have = PostgresRow(said.get(), 0).Number(0);
  if (have > steps.size()) {
    return Error{Code::kUnsupported, "the record was written by a newer holdfastd (schema " +
                                         std::to_string(have) + "; this one knows up to " +
                                         std::to_string(steps.size()) + "); install that one"};
  }
  if (have == steps.size()) return Ok();
  // Building an index of a large table may take its time.
  std::string all = "BEGIN; SET LOCAL statement_timeout = 0;";
  for (std::size_t step = have; step < steps.size(); ++step) all += steps[step];
  all += "DELETE FROM holdfast_schema; INSERT INTO holdfast_schema VALUES (" +
         std::to_string(steps.size()) + "); COMMIT";
  if (PQsendQuery(connection_.get(), all.c_str()) != 1) return Lost("cannot send");
  Status status = Ok();
  auto deadline = Clock::now() + options_.answer_wait;
  for (;;) {
    HF_ASSIGN_OR_RETURN(const PostgresResult result, Next(deadline));
    if (result == nullptr) break;
    if (IsError(result.get()) && status.ok()) {
      status = ResultError(result.get()).In("changing the record's schema");
    }
  }
  return status;
}

Status PostgresConnection::TakeOver() {
  HF_ASSIGN_OR_RETURN(const PostgresResult owner,
                      Ask("UPDATE holdfast_owner SET epoch = epoch + 1 RETURNING epoch, turn"));
  if (PQntuples(owner.get()) != 1) return Error{Code::kCorrupt, "store: holdfast_owner has no row"};
  const PostgresRow row(owner.get(), 0);
  epoch_ = row.Number(0);
  turn_ = row.Number(1);
  return Ok();
}

Status PostgresConnection::StillOwner() {
  HF_ASSIGN_OR_RETURN(const PostgresResult owner, Ask("SELECT epoch, turn FROM holdfast_owner"));
  if (PQntuples(owner.get()) != 1) return Error{Code::kCorrupt, "store: holdfast_owner has no row"};
  const PostgresRow row(owner.get(), 0);
  if (row.Number(0) != epoch_) {
    must_reload_ = Error{Code::kUnavailable, "store: another control has taken the record over"};
  } else if (row.Number(1) != turn_) {
    must_reload_ =
        Error{Code::kUnavailable,
              row.Number(1) > turn_
                  ? "store: a commit whose answer was lost took effect: loading anew"
                  : "store: the database has lost turns that it confirmed: loading anew"};
  } else {
    return Ok();
  }
  connection_.reset();
  return *must_reload_;
}

Status PostgresConnection::Prepare() {
  if (PQenterPipelineMode(connection_.get()) != 1) return Lost("no pipeline");
  const auto prepare = [this](std::size_t name, const char* sql) {
    ++sent_;
    return PQsendPrepare(connection_.get(), StatementName(name).c_str(), sql, 0, nullptr) == 1;
  };
  std::size_t name = 0;
  for (const char* const sql : kOwnStatements) {
    if (!prepare(name++, sql)) return Lost("cannot send");
  }
  for (const char* const sql : statements_) {
    if (!prepare(name++, sql)) return Lost("cannot send");
  }
  return Sync(nullptr);
}

Error PostgresConnection::Lost(std::string_view why) {
  const std::string words =
      connection_ != nullptr ? std::string(PQerrorMessage(connection_.get())) : std::string();
  connection_.reset();
  sent_ = 0;
  fence_at_.reset();
  away_ = PostgresError("", words.empty() ? std::string(why) : words);
  if (in_turn_ && !broken_) broken_ = away_;
  return *away_;
}

Status PostgresConnection::Ensure() {
  if (must_reload_) return *must_reload_;
  if (connection_ != nullptr) return Ok();
  if (away_ && Clock::now() < retry_at_) return *away_;
  Status status = Connect(kConnectSlice);
  if (status.ok()) status = Introduce();
  if (status.ok()) {
    status = TakeLock(kConnectSlice);
    if (!status.ok() && status.error().code == Code::kExists) {
      status = Error{Code::kUnavailable, status.error().message};  // no row is in the way
      const auto now = Clock::now();
      if (!refused_since_) refused_since_ = now;
      // Not a remain of ours any more: those end with the session that asks.
      if (now - *refused_since_ >= kRefusedWait) must_reload_ = status.error();
    }
  }
  if (status.ok()) {
    refused_since_.reset();
    status = StillOwner();
  }
  if (status.ok()) status = Prepare();
  if (status.ok()) {
    away_.reset();
    return status;
  }
  connection_.reset();
  away_ = status.error();
  retry_at_ = Clock::now() + kConnectPause;
  return status;
}

void PostgresConnection::Keep() {
  if (in_turn_) return;
  if (connection_ != nullptr && PQconsumeInput(connection_.get()) != 1) (void)Lost("gone");
  (void)Ensure();  // why not is said to who needs it
}

// --- statements -----------------------------------------------------------------------------------

Result<PostgresResult> PostgresConnection::Ask(const char* sql, const PostgresValues& values) {
  const Wire wire(values);
  if (PQsendQueryParams(connection_.get(), sql, wire.count(), nullptr, wire.data.data(),
                        wire.sizes.data(), wire.formats.data(), /*resultFormat=*/1) != 1) {
    return Lost("cannot send");
  }
  PostgresResult out;
  auto deadline = Clock::now() + options_.answer_wait;
  for (;;) {
    HF_ASSIGN_OR_RETURN(PostgresResult result, Next(deadline));
    if (result == nullptr) break;
    out = std::move(result);
  }
  if (out == nullptr) return Lost("no answer");
  if (IsError(out.get())) return ResultError(out.get());
  return out;
}

// The next result, or null at the end of a statement's. The deadline moves on with each byte that comes.
Result<PostgresResult> PostgresConnection::Next(Clock::time_point& deadline) {
  PGconn* const raw = connection_.get();
  for (;;) {
    const int unsent = PQflush(raw);
    if (unsent < 0) return Lost("cannot send");
    if (unsent == 0 && PQisBusy(raw) == 0) break;
    const short events = unsent > 0 ? POLLIN | POLLOUT : POLLIN;
    if (!WaitFor(raw, events, Until(deadline))) {
      if (options_.stop && options_.stop()) return Lost("interrupted");
      if (Clock::now() < deadline) continue;  // a signal
      connection_.reset();
      return Lost("no answer from PostgreSQL for " +
                  std::to_string(options_.answer_wait / std::chrono::seconds(1)) + " s");
    }
    deadline = Clock::now() + options_.answer_wait;
    if (options_.on_progress) options_.on_progress();
    if (PQconsumeInput(raw) != 1) return Lost("the session ended");
  }
  return PostgresResult(PQgetResult(raw));
}

Status PostgresConnection::Send(Kind kind, std::size_t statement, const PostgresValues& values) {
  const Wire wire(values);
  const std::size_t name =
      kind == Kind::kOwn ? std::size(kOwnStatements) + statement : static_cast<std::size_t>(kind);
  if (PQsendQueryPrepared(connection_.get(), StatementName(name).c_str(), wire.count(),
                          wire.data.data(), wire.sizes.data(), wire.formats.data(),
                          /*resultFormat=*/1) != 1) {
    return Lost("cannot send");
  }
  if (kind == Kind::kFence) fence_at_ = sent_;
  ++sent_;
  // What libpq holds is bounded by the turn; what the server has answered is taken off its hands now and then.
  constexpr std::size_t kBetween = 64;
  if (sent_ % kBetween == 0 &&
      (PQflush(connection_.get()) < 0 || PQconsumeInput(connection_.get()) != 1)) {
    return Lost("the session ended");
  }
  return Ok();
}

// Collects the answers to all that was sent; rows are those of the last statement.
Status PostgresConnection::Sync(const OnRow* on_row) {
  if (connection_ == nullptr) return *away_;
  if (PQpipelineSync(connection_.get()) != 1) return Lost("cannot send");
  Status status = Ok();
  auto deadline = Clock::now() + options_.answer_wait;
  bool is_corrupt = false;
  committed_ = false;
  for (std::size_t at = 0;;) {
    if (on_row != nullptr && at + 1 == sent_) (void)PQsetSingleRowMode(connection_.get());
    HF_ASSIGN_OR_RETURN(const PostgresResult result, Next(deadline));
    if (result == nullptr) {
      // The end of one statement's results. A session that ended gives these without end.
      if (PQstatus(connection_.get()) == CONNECTION_BAD) return Lost("the session ended");
      ++at;
      continue;
    }
    const ExecStatusType what = PQresultStatus(result.get());
    if (what == PGRES_PIPELINE_SYNC) break;
    if (IsError(result.get())) {
      if (status.ok()) {
        status = ResultError(result.get());
        if (fence_at_ && at == *fence_at_ && what != PGRES_PIPELINE_ABORTED) {
          const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
          if (state != nullptr && std::string_view(state) == "22012") {
            must_reload_ =
                Error{Code::kUnavailable, "store: another control has taken the record over"};
            status = *must_reload_;
          }
        }
      }
      if (PQstatus(connection_.get()) == CONNECTION_BAD) return Lost("the session ended");
      continue;
    }
    committed_ = std::string_view(PQcmdStatus(result.get())) == "COMMIT";
    if (on_row == nullptr || at + 1 != sent_) continue;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      const PostgresRow cells(result.get(), row);
      (*on_row)(cells);
      is_corrupt = is_corrupt || cells.corrupt;
    }
  }
  sent_ = 0;
  fence_at_.reset();
  if (status.ok() && is_corrupt) {
    return Error{Code::kCorrupt, "store: a row that makes no sense"};
  }
  return status;
}

Status PostgresConnection::Write(std::size_t statement, const PostgresValues& values) {
  if (broken_) return *broken_;
  Status status = Ok();
  if (!in_turn_) {
    status = Ensure();
    in_turn_ = true;
    if (status.ok()) status = Send(Kind::kBegin, 0, PostgresValues());
    if (status.ok()) status = Send(Kind::kFence, 0, PostgresValues(epoch_));
  }
  if (status.ok()) status = Send(Kind::kOwn, statement, values);
  if (!status.ok() && !broken_) broken_ = status.error();
  return status;
}

Status PostgresConnection::Read(std::size_t statement, const PostgresValues& values,
                                const OnRow& on_row) {
  if (broken_) return *broken_;
  Status status = Ensure();
  if (status.ok()) status = Send(Kind::kOwn, statement, values);
  if (status.ok()) status = Sync(&on_row);
  // In a transaction any error ends it; what was corrupt in our eyes is not one of those.
  if (!status.ok() && in_turn_ && !broken_) broken_ = status.error();
  return status;
}

Status PostgresConnection::Commit() {
  if (broken_) return *broken_;
  if (!in_turn_) return Ok();
  Status status = Send(Kind::kCommit, 0, PostgresValues());
  if (status.ok()) status = Sync(nullptr);
  if (status.ok() && !committed_) status = Error{Code::kUnavailable, "store: not committed"};
  if (!status.ok()) {
    // Of a session that ended here nobody knows yet whether it was: turn_ will tell.
    Rollback();
    return status;
  }
  in_turn_ = false;
  ++turn_;
  return Ok();
}

void PostgresConnection::Rollback() {
  if (in_turn_ && connection_ != nullptr) {
    if (sent_ > 0) (void)Sync(nullptr);  // a failed statement takes the rest with it, ROLLBACK too
    if (connection_ != nullptr && Send(Kind::kRollback, 0, PostgresValues()).ok()) {
      (void)Sync(nullptr);
    }
  }
  in_turn_ = false;
  broken_.reset();
}

// --- looking --------------------------------------------------------------------------------------

Result<PostgresState> LookAtPostgres(const std::string& url, std::uint64_t newest_schema) {
  constexpr const char* kNames[] = {"connect_timeout", "tcp_user_timeout", "dbname",
                                    "application_name", nullptr};
  const char* const values[] = {"5", "5000", url.c_str(), "holdfastd check", nullptr};
  const std::unique_ptr<PGconn, PostgresCloser> connection(
      PQconnectdbParams(kNames, values, /*expand_dbname=*/1));
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    return PostgresError("", PQerrorMessage(connection.get()));
  }
  const auto ask = [&](const char* sql) -> Result<std::string> {
    const PostgresResult got(PQexec(connection.get(), sql));
    if (IsError(got.get())) return ResultError(got.get());
    return std::string(PQntuples(got.get()) > 0 ? PQgetvalue(got.get(), 0, 0) : "");
  };
  PostgresState out;
  HF_TRY(ask("SET statement_timeout = '4s'"));
  HF_ASSIGN_OR_RETURN(out.server_version, ask("SHOW server_version"));
  HF_ASSIGN_OR_RETURN(const std::string fsync, ask("SHOW fsync"));
  if (PQserverVersion(connection.get()) < 120000) {
    return Error{Code::kUnsupported,
                 "PostgreSQL " + out.server_version + "; 12 or newer is needed"};
  }
  if (fsync != "on") {
    return Error{Code::kUnsupported,
                 "this PostgreSQL runs with fsync = off: what it confirms is not on disk"};
  }
  HF_ASSIGN_OR_RETURN(const std::string may,
                      ask("SELECT has_schema_privilege(current_schema(), 'CREATE')"));
  if (may != "t") {
    return Error{Code::kDenied,
                 "the role may not create tables in its schema: GRANT CREATE ON SCHEMA ... TO it"};
  }
  HF_ASSIGN_OR_RETURN(const std::string there,
                      ask("SELECT to_regclass('holdfast_schema') IS NOT NULL"));
  if (there == "t") {
    HF_ASSIGN_OR_RETURN(const std::string schema,
                        ask("SELECT coalesce(max(version), 0) FROM holdfast_schema"));
    out.schema = std::strtoull(schema.c_str(), nullptr, 10);
  }
  if (out.schema > newest_schema) {
    return Error{Code::kUnsupported, "the record was written by a newer holdfastd (schema " +
                                         std::to_string(out.schema) + "; this one knows up to " +
                                         std::to_string(newest_schema) + "); install that one"};
  }
  HF_ASSIGN_OR_RETURN(
      const std::string held,
      ask("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted"
          " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
          " AND classid = 1752132708::oid AND objid::bigint = "
          "(hashtext(current_schema()::text)::bigint & 4294967295)"));
  out.held = held == "t";
  return out;
}

}  // namespace holdfast::backend
