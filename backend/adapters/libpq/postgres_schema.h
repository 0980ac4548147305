// The schema of the record in PostgreSQL: every table and index, and every step from older ones to it.
//
// holdfast_schema.version counts the steps that were taken; a start takes the missing ones in one transaction,
// under the lock of the one control. A step never changes once released. Numbers are bigint with the bits of a
// uint64; everything else is bytea: endpoints and analysts choose those bytes, and no encoding may refuse them.
// docs/decisions/0130-the-record-in-postgresql.md
#pragma once

namespace holdfast::backend {

inline constexpr const char* kPostgresSchemaSteps[] = {
    // 1
    R"sql(
CREATE TABLE holdfast_owner (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  epoch bigint NOT NULL, turn bigint NOT NULL
);
INSERT INTO holdfast_owner (epoch, turn) VALUES (0, 0);

CREATE TABLE agents (
  id bytea PRIMARY KEY, pubkey bytea NOT NULL, facts bytea NOT NULL, labels bytea NOT NULL,
  address bytea NOT NULL, enrolled_ms bigint NOT NULL, last_seen_ms bigint NOT NULL,
  epoch bigint NOT NULL, instance_nonce bytea NOT NULL, fingerprint bytea NOT NULL,
  incarnation bytea NOT NULL, contact bytea NOT NULL, prev_contact bytea NOT NULL,
  clone_suspected bigint NOT NULL, removed bigint NOT NULL
);

CREATE TABLE commands (
  ordinal bigserial PRIMARY KEY,
  digest bytea NOT NULL UNIQUE, command_id bytea NOT NULL UNIQUE, envelope bytea NOT NULL,
  cert_envelope bytea NOT NULL, verb bytea NOT NULL, operator_id bytea NOT NULL, detail bytea NOT NULL,
  accepted_ms bigint NOT NULL, not_after_ms bigint NOT NULL, targets bigint NOT NULL,
  ended bigint NOT NULL DEFAULT 0, succeeded bigint NOT NULL DEFAULT 0
);
CREATE INDEX commands_by_time ON commands (accepted_ms, ordinal);
CREATE INDEX commands_open ON commands (accepted_ms, ordinal) WHERE ended < targets;

CREATE TABLE deliveries (
  digest bytea NOT NULL, agent_id bytea NOT NULL, state bigint NOT NULL,
  accepted_ms bigint NOT NULL, sent_ms bigint NOT NULL, received_ms bigint NOT NULL,
  started_ms bigint NOT NULL, ended_ms bigint NOT NULL, sends bigint NOT NULL,
  attempt bigint NOT NULL, next_seq bigint NOT NULL, output_attempt bigint NOT NULL,
  stored_bytes bigint NOT NULL, chunk_count bigint NOT NULL, stream_complete bigint NOT NULL,
  place bigint NOT NULL, output_name bytea NOT NULL, output_sha256 bytea NOT NULL,
  outcome bigint NOT NULL, failure bigint NOT NULL, message bytea NOT NULL,
  result_envelope bytea NOT NULL,
  PRIMARY KEY (digest, agent_id)
);
CREATE INDEX deliveries_open ON deliveries (accepted_ms) WHERE state != 5;
CREATE INDEX deliveries_incoming ON deliveries (output_name) WHERE place = 2;

-- Small outputs, piece by piece.
CREATE TABLE outputs (
  digest bytea NOT NULL, agent_id bytea NOT NULL, at bigint NOT NULL, bytes bytea NOT NULL,
  PRIMARY KEY (digest, agent_id, at)
);

CREATE TABLE tokens (
  hash bytea PRIMARY KEY, uses_left bigint NOT NULL, expires_ms bigint NOT NULL,
  labels bytea NOT NULL, operator_id bytea NOT NULL
);

CREATE TABLE audit (
  seq bigint PRIMARY KEY, at_ms bigint NOT NULL, actor bytea NOT NULL, action bytea NOT NULL,
  digest bytea NOT NULL, agent_id bytea NOT NULL, detail bytea NOT NULL,
  prev_hash bytea NOT NULL, hash bytea NOT NULL
);
CREATE INDEX audit_by_command ON audit (digest, seq) WHERE digest != ''::bytea;
)sql",
};

}  // namespace holdfast::backend
