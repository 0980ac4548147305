// The schema of the ledger: every table and index, and every step from older ones to it.
//
// user_version counts the steps that were taken; a start takes the missing ones in one transaction.
// A step never changes once released. docs/decisions/0021-store-layout.md
#pragma once

namespace holdfast::backend {

inline constexpr const char* kSchemaSteps[] = {
    // 1
    R"sql(
CREATE TABLE agents (
  id BLOB PRIMARY KEY, pubkey BLOB NOT NULL, facts BLOB NOT NULL, labels BLOB NOT NULL,
  address BLOB NOT NULL, enrolled_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,
  epoch INTEGER NOT NULL, instance_nonce BLOB NOT NULL, fingerprint BLOB NOT NULL,
  incarnation BLOB NOT NULL, contact BLOB NOT NULL, prev_contact BLOB NOT NULL,
  clone_suspected INTEGER NOT NULL, removed INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE commands (
  digest BLOB NOT NULL UNIQUE, command_id BLOB NOT NULL UNIQUE, envelope BLOB NOT NULL,
  cert_envelope BLOB NOT NULL, verb TEXT NOT NULL, operator_id TEXT NOT NULL, detail TEXT NOT NULL,
  accepted_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL, targets INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0, succeeded INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX commands_by_time ON commands (accepted_ms);
CREATE INDEX commands_open ON commands (accepted_ms) WHERE ended < targets;

CREATE TABLE deliveries (
  digest BLOB NOT NULL, agent_id BLOB NOT NULL, state INTEGER NOT NULL,
  accepted_ms INTEGER NOT NULL, sent_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, sends INTEGER NOT NULL,
  attempt INTEGER NOT NULL, next_seq INTEGER NOT NULL, output_attempt INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL, chunk_count INTEGER NOT NULL, stream_complete INTEGER NOT NULL,
  place INTEGER NOT NULL, output_name BLOB NOT NULL, output_sha256 BLOB NOT NULL,
  outcome INTEGER NOT NULL, failure INTEGER NOT NULL, message BLOB NOT NULL,
  result_envelope BLOB NOT NULL,
  PRIMARY KEY (digest, agent_id)
) WITHOUT ROWID;
CREATE INDEX deliveries_open ON deliveries (accepted_ms) WHERE state != 5;
CREATE INDEX deliveries_incoming ON deliveries (output_name) WHERE place = 2;

-- Small outputs, piece by piece.
CREATE TABLE outputs (
  digest BLOB NOT NULL, agent_id BLOB NOT NULL, offset INTEGER NOT NULL, bytes BLOB NOT NULL,
  PRIMARY KEY (digest, agent_id, offset)
) WITHOUT ROWID;

CREATE TABLE tokens (
  hash BLOB PRIMARY KEY, uses_left INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
  labels BLOB NOT NULL, operator_id TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  digest BLOB NOT NULL, agent_id BLOB NOT NULL, detail TEXT NOT NULL,
  prev_hash BLOB NOT NULL, hash BLOB NOT NULL
);
CREATE INDEX audit_by_command ON audit (digest, seq) WHERE digest != x'';
)sql",
};

}  // namespace holdfast::backend
