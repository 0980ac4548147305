// SimAgent: one simulated agent: a link that greets, beats, takes commands and streams answers.
//
// Protocol-true with the product's own parts (Dialer, StreamSender, codec, signatures); only the
// machine behind it is a model and its journal is memory. Takes no blobs: an update is fetched by nobody, and ends as
// behaviour.h says: it cuts its link, and comes back with the other version, or with its old one, or not at all. One that is slow, flaky,
// hostile or a clone (behaviour.h) departs from that in this alone.
//
//   FleetProcess --OnTurn--> [SimAgent] <--> Links
//
// Ordering:  the epoch is the wall clock in ms, and more than the last one: greater after any restart.
// Limits:    kMaxOpenStreams open commands; above it a command is refused (TOO_MANY_OPEN). The
//            digests of kMaxTombstones ended ones are kept, so that a repeated command does not run
//            twice. What answers hold in memory is bounded by MachineModel.
// Ownership: borrows FleetShared.
// Threading: loop thread only.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/dialer.h"
#include "backend/fleet/behaviour.h"
#include "backend/fleet/command_cache.h"
#include "backend/fleet/figures.h"
#include "backend/fleet/identities.h"
#include "backend/fleet/links.h"
#include "backend/fleet/machine_model.h"
#include "common/link/codec.h"
#include "common/link/stream_sender.h"

namespace holdfast::fleet {

class SimAgent;

// What all agents of the process have in common.
struct FleetShared {
  const sign::Crypto& crypto;
  const sign::TrustedPolicy& trust;
  const ::holdfast::command::v1::Bundle& bundle;
  const Mix& mix;
  CommandCache& commands;
  FigurePage& figures;
  Links& links;
  Identities& identities;
  std::vector<std::string> hosts = {};  // of the bundle's servers
  Nonce16 instance = {};                // of this process: one start of warden for each agent
  std::string version = {};
  std::uint32_t first_number = 0;      // of the process's agents
  std::uint32_t source_base = 0;       // IPv4, host order; 0: the system's choice
  std::uint32_t sources = 1;           // addresses from there on
  std::deque<SimAgent*> touched = {};  // agents that want OnTurn() now
};

class SimAgent final : private LinkDelegate {
 public:
  static constexpr std::size_t kMaxOpenStreams = 64;  // as the real agent: agent/core/limits.h
  static constexpr std::size_t kMaxTombstones = 64;

  SimAgent(FleetShared& shared, std::uint32_t index, TimePoint now);
  ~SimAgent() override;

  // What is due: dials, hangs up, asks for room to write.
  void OnTurn(TimePoint now);
  std::optional<TimePoint> NextDeadline() const;
  void Stop(TimePoint now);

  std::uint32_t index() const { return index_; }
  bool is_online() const { return welcomed_; }
  bool is_connected() const { return link_ != nullptr; }

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
  using Streams = std::map<Digest, std::unique_ptr<Stream>>;

  // LinkDelegate
  void OnOpened() override;
  void OnMessage(std::string_view message) override;
  void OnClosed(const ClientEnd& end) override;
  std::optional<std::string> NextMessage() override;

  void Dial(std::size_t server, TimePoint now);
  void Act(TimePoint now);
  void OnFrame(const link::Frame& frame, TimePoint now);
  void OnBeat(TimePoint now);
  void OnChallenge(const ::holdfast::link::v1::Challenge& challenge);
  Result<std::string> SignHello(const ::holdfast::link::v1::Challenge& challenge);
  void OnWelcome(const ::holdfast::link::v1::Welcome& welcome, TimePoint now);
  void OnDeliver(const ::holdfast::link::v1::Deliver& deliver, TimePoint now);
  fleet::Answer Update(const ::holdfast::command::v1::Command& command);
  void OnAck(const ::holdfast::link::v1::Ack& ack, TimePoint now);
  void Answer(const Digest& digest, fleet::Answer answer, TimePoint now);
  std::string SignResult(const Digest& digest, const Stream& stream, fleet::Answer& answer) const;
  void AddSyncs(link::LinkMessage& out, TimePoint now);
  void AddRecords(link::LinkMessage& out, TimePoint now);
  void FillRecord(const Stream& stream, std::uint64_t seq, link::Frame& frame) const;
  void Touch();
  void Settle();
  std::uint32_t number() const { return shared_.first_number + index_; }
  std::uint32_t source() const;
  std::string hostname() const;
  // Of the identity that it shows: a clone's is another agent's.
  std::uint32_t identity_index() const {
    return behaviour_ == Behaviour::kClone ? index_ - 1 : index_;
  }
  bool has_streams() const { return streams_ != nullptr && !streams_->empty(); }
  bool has_ended(const Digest& digest) const;

  FleetShared& shared_;
  agent::Dialer dialer_;
  Link* link_ = nullptr;
  TimePoint dialled_at_{};
  TimePoint welcomed_at_{};
  TimePoint beat_due_at_{};          // of the beat that has no answer yet; zero: none
  std::optional<TimePoint> act_at_;  // slow: the next read; flaky: the cut
  std::uint64_t epoch_ = 0;
  std::unique_ptr<std::string> hello_;         // waits for room
  std::optional<agent::CloseReason> closing_;  // the last word
  std::unique_ptr<Streams> streams_;           // open: not yet complete at control
  std::vector<Digest> tombstones_;             // oldest first
  std::unique_ptr<std::string> version_;       // that an update has brought
  bool is_lost_ = false;                       // by one: never dials again
  bool cuts_ = false;                          // at the next turn
  const std::uint32_t index_;                  // within the process
  std::uint32_t server_ = 0;
  std::uint32_t acts_ = 0;  // hostile: how many so far
  const Behaviour behaviour_;
  bool welcomed_ = false;
  bool said_hello_ = false;
  bool beat_due_ = false;
  bool is_touched_ = false;
  bool settled_ = false;
  bool acts_now_ = false;  // hostile: its message goes out next
};

}  // namespace holdfast::fleet
