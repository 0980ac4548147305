// Store: the port to control's record of everything: agents, commands, deliveries, tokens, audit.
//
// What is in here is true after a crash; what is not, never happened. Control writes all that one
// turn of its loop brought, then commits once; only then may anybody be told. Reads see the writes
// of the turn. Rows are values; the core keeps what is open in memory and writes whole rows back.
//
//   Put* Append* Drop* ... Commit --> [Store] --> Load* Find* List*
//
// Ordering:  writes become durable together, at Commit(), or not at all.
// Limits:    lists take a limit; the rows' own limits are those of proto/holdfast/api/v1/api.proto.
// Ownership: owns the database; rows are copied in and out.
// Threading: loop thread only.
// Errors:    kUnavailable: the store cannot write now (disk full, I/O error, server away). What is wrong with a
//            write is told by the write or by Commit() at the latest: a store elsewhere collects its answers there.
//            After a failed write Commit() fails too, so nobody has to look at every write; then Rollback(), and a later
//            turn may succeed. kCorrupt: what is stored does not make sense.
// Design:    docs/decisions/0021-store-layout.md, 0022-group-commit.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/packed_string.h"
#include "common/base/result.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::backend {

using ::holdfast::command::v1::CommandFailure;
using ::holdfast::command::v1::Outcome;

using Labels = std::vector<std::pair<std::string, std::string>>;  // sorted by key, keys distinct

// An agent that enrolled. A removed one keeps its row, so that its identity never comes back.
// Control keeps all of them in memory, hence their packing and the order of the small ones.
struct AgentRow {
  AgentId id;
  PublicKey pubkey;
  bool clone_suspected = false;
  bool removed = false;
  PackedString facts;  // serialized holdfast.command.v1.AgentFacts: claims, hostile
  Labels labels;
  PackedString address;  // of the last link
  std::uint64_t enrolled_ms = 0;
  std::uint64_t last_seen_ms = 0;
  std::uint64_t epoch = 0;  // highest granted: nothing below it has effect
  Nonce16 instance_nonce;   // of the link with that epoch
  Nonce32 fingerprint;
  Nonce16 incarnation;   // of the agent's journal
  Nonce16 contact;       // given with that epoch's Welcome
  Nonce16 prev_contact;  // the one before: counts while the last is not confirmed
};

// As in api.proto, same numbers.
enum class DeliveryState : std::uint8_t {
  kAccepted = 1,
  kSent = 2,
  kReceived = 3,
  kStarted = 4,
  kEnded = 5,
  kUnknown = 6,
};

struct CommandRow {
  Digest digest;
  CommandId command_id;
  std::string envelope;  // exact bytes, as signed
  std::string cert_envelope;
  std::string verb;
  std::string operator_id;
  std::string detail;  // one line, escaped: the SQL, path or argv
  std::uint64_t accepted_ms = 0;
  std::uint64_t not_after_ms = 0;
  std::uint32_t targets = 0;
  std::uint32_t ended = 0;
  std::uint32_t succeeded = 0;
};

// Where the output of a delivery lies.
enum class OutputPlace : std::uint8_t {
  kNone = 0,      // no bytes yet
  kInline = 1,    // in the store, piece by piece: small outputs cost no file
  kIncoming = 2,  // in a file named by output_name, still growing
  kSealed = 3,    // in a file named by output_sha256, complete and verified
};

// One target of one command: the ledger row, which is also the outbox.
struct DeliveryRow {
  Digest digest;
  AgentId agent_id;
  DeliveryState state = DeliveryState::kAccepted;
  std::uint64_t accepted_ms = 0;  // control's wall clock; 0 = not yet
  std::uint64_t sent_ms = 0;
  std::uint64_t received_ms = 0;
  std::uint64_t started_ms = 0;
  std::uint64_t ended_ms = 0;
  std::uint32_t sends = 0;
  // The numbered stream, as far as it is on disk.
  std::uint32_t attempt = 0;
  std::uint64_t next_seq = 0;
  // The output on disk. An attempt that brings no output leaves that of the one before readable.
  std::uint32_t output_attempt = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t chunk_count = 0;
  bool stream_complete = false;  // the Final is stored: the agent may forget
  OutputPlace place = OutputPlace::kNone;
  Nonce16 output_name;   // random; while kIncoming
  Digest output_sha256;  // while kSealed
  // The end.
  Outcome outcome = ::holdfast::command::v1::OUTCOME_UNSPECIFIED;
  CommandFailure failure = ::holdfast::command::v1::COMMAND_FAILURE_UNSPECIFIED;
  std::string message;          // hostile
  std::string result_envelope;  // what the agent signed; empty if control ended it

  bool ended() const { return state == DeliveryState::kEnded; }
};

struct TokenRow {
  Digest hash;  // SHA-256 of the token's text: the token itself is nowhere stored
  std::uint32_t uses_left = 0;
  std::uint64_t expires_ms = 0;
  Labels labels;
  std::string operator_id;
};

struct AuditRow {
  std::uint64_t seq = 0;  // from 1, without gaps
  std::uint64_t at_ms = 0;
  std::string actor;
  std::string action;
  std::string digest;    // 32 B or empty
  std::string agent_id;  // 16 B or empty
  std::string detail;
  Digest prev_hash;
  Digest hash;
};

class Store {
 public:
  virtual ~Store() = default;

  // --- what a start needs -----------------------------------------------------------------------
  virtual Result<std::vector<AgentRow>> LoadAgents() = 0;
  // Commands with a delivery that has not ended, in the order they were inserted, and those deliveries.
  virtual Result<std::vector<CommandRow>> LoadOpenCommands() = 0;
  virtual Result<std::vector<DeliveryRow>> LoadOpenDeliveries() = 0;
  virtual Result<std::optional<AuditRow>> LastAudit() = 0;
  // Names of files that rows still point to: the rest in the results folder is rubbish.
  virtual Result<std::vector<Nonce16>> IncomingFiles() = 0;

  // --- reading ----------------------------------------------------------------------------------
  virtual Result<std::optional<CommandRow>> FindCommand(const Digest& digest) = 0;
  virtual Result<std::optional<CommandRow>> FindCommandById(const CommandId& id) = 0;
  // At most two: one is the answer, two mean that the prefix is not unique.
  virtual Result<std::vector<CommandRow>> FindCommandsByPrefix(std::string_view prefix) = 0;
  // Newest first, accepted before `before_ms`.
  virtual Result<std::vector<CommandRow>> ListCommands(std::uint64_t before_ms, std::size_t limit,
                                                       bool open_only) = 0;
  virtual Result<std::optional<DeliveryRow>> FindDelivery(const Digest& digest,
                                                          const AgentId& agent) = 0;
  virtual Result<std::vector<DeliveryRow>> DeliveriesOf(const Digest& digest) = 0;  // by agent id
  virtual Result<std::optional<TokenRow>> FindToken(const Digest& hash) = 0;
  // By seq; `digest` empty: all.
  virtual Result<std::vector<AuditRow>> ListAudit(std::uint64_t after_seq, std::size_t limit,
                                                  std::string_view digest) = 0;
  // Up to `max_bytes` of an inline output from `offset` on; empty at its end.
  virtual Result<std::string> ReadInline(const Digest& digest, const AgentId& agent,
                                         std::uint64_t offset, std::size_t max_bytes) = 0;

  // --- writing: all in the turn's transaction ---------------------------------------------------
  virtual Status PutAgent(const AgentRow& row) = 0;  // insert or replace
  virtual Status InsertCommand(
      const CommandRow& row) = 0;  // kExists (or Commit()): digest or id is taken
  virtual Status PutCommandCounts(const Digest& digest, std::uint32_t ended,
                                  std::uint32_t succeeded) = 0;
  virtual Status PutDelivery(const DeliveryRow& row) = 0;  // insert or replace
  virtual Status PutToken(const TokenRow& row) = 0;        // insert or replace; uses_left 0 deletes
  virtual Status AppendAudit(const AuditRow& row) = 0;
  virtual Status AppendInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                              std::string_view bytes) = 0;
  virtual Status DropInline(const Digest& digest, const AgentId& agent) = 0;

  // Everything since the last Commit() or Rollback() is durable when this returns Ok. On an error
  // nothing of it is, as after Rollback().
  virtual Status Commit() = 0;
  virtual void Rollback() = 0;
};

}  // namespace holdfast::backend
