// SimAgent: one simulated agent: a link that greets, beats, takes commands and streams answers.
//
// Protocol-true with the product's own parts (Dialer, StreamSender, codec, signatures); only the
// machine behind it is a model and its journal is memory. Takes no blobs (put).
//
//   Fleet --OnTurn--> [SimAgent] <--> LwsClient
//
// Ordering:  the epoch is the wall clock in ms, and more than the last one: greater after any restart.
// Limits:    kMaxOpenStreams open commands; above it a command is refused (TOO_MANY_OPEN). The
//            digests of kMaxTombstones ended ones are kept, so that a repeated command does not run
//            twice. What answers hold in memory is bounded by MachineModel.
// Ownership: borrows FleetShared and its Identity.
// Threading: loop thread only.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/core/dialer.h"
#include "backend/fleet/command_cache.h"
#include "backend/fleet/fleet_options.h"
#include "backend/fleet/identities.h"
#include "backend/fleet/machine_model.h"
#include "backend/fleet/report.h"
#include "common/adapters/lws/lws_client.h"
#include "common/link/codec.h"
#include "common/link/stream_sender.h"

namespace holdfast::fleet {

class SimAgent;

// What all agents of the process have in common.
struct FleetShared {
  const sign::Crypto& crypto;
  const sign::TrustedPolicy& trust;
  const ::holdfast::command::v1::Bundle& bundle;
  CommandCache& commands;
  Report& report;
  LwsClient& client;
  Nonce16 instance;                // of this process: one start of warden for each agent
  std::deque<SimAgent*>* touched;  // agents that want OnTurn() now
};

class SimAgent final : private LwsClientDelegate {
 public:
  static constexpr std::size_t kMaxOpenStreams = 64;  // as the real agent: agent/core/limits.h
  static constexpr std::size_t kMaxTombstones = 64;

  SimAgent(const FleetShared& shared, Identity& identity, std::uint32_t number,
           std::string source_address, TimePoint now);
  ~SimAgent() override;

  // What is due: dials, hangs up, asks for room to write.
  void OnTurn(TimePoint now);
  std::optional<TimePoint> NextDeadline() const;
  void Stop() { dialer_.OnHangUp(::holdfast::link::v1::CLOSE_REASON_AGENT_STOPPING); }

  bool is_online() const { return welcomed_; }
  bool is_connected() const { return connection_ != nullptr; }

 private:
  struct Stream {
    Digest digest;
    link::StreamSender sender;
    std::string output;
    std::string final_envelope;  // signed Result
    bool was_refused;            // then the Final is the only record
    std::uint64_t chunks() const;
    std::uint64_t records() const { return was_refused ? 1 : 3 + chunks(); }
  };

  // LwsClientDelegate
  void OnOpened() override;
  void OnMessage(std::string_view message) override;
  void OnClosed(const ClientEnd& end) override;
  std::optional<std::string> NextMessage() override;

  void Dial(std::size_t server, TimePoint now);
  void OnFrame(const link::Frame& frame, TimePoint now);
  void OnChallenge(const ::holdfast::link::v1::Challenge& challenge);
  void OnWelcome(const ::holdfast::link::v1::Welcome& welcome, TimePoint now);
  void OnDeliver(const ::holdfast::link::v1::Deliver& deliver, TimePoint now);
  void OnAck(const ::holdfast::link::v1::Ack& ack, TimePoint now);
  void Answer(const Digest& digest, fleet::Answer answer, TimePoint now);
  std::string SignResult(const Digest& digest, const Stream& stream, fleet::Answer& answer) const;
  void AddSyncs(link::LinkMessage& out, TimePoint now);
  void AddRecords(link::LinkMessage& out, TimePoint now);
  void FillRecord(const Stream& stream, std::uint64_t seq, link::Frame& frame) const;
  void Touch();

  const FleetShared& shared_;
  Identity& identity_;
  const std::uint32_t number_;
  const std::string hostname_;
  const std::string source_address_;
  agent::Dialer dialer_;
  LwsClientConnection* connection_ = nullptr;
  std::string host_;
  TimePoint dialled_at_{};
  std::uint64_t epoch_ = 0;
  bool welcomed_ = false;
  bool said_hello_ = false;
  bool beat_due_ = false;
  bool is_touched_ = false;
  std::optional<std::string> hello_;           // waits for room
  std::optional<agent::CloseReason> closing_;  // the last word
  std::optional<agent::CloseReason> server_reason_;
  std::map<Digest, std::unique_ptr<Stream>> streams_;  // open: not yet complete at control
  std::deque<Digest> tombstones_;
};

}  // namespace holdfast::fleet
