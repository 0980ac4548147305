// ControlCore: all of control but sockets, files, clocks and threads.
//
// Composes ledger, sessions, dispatcher, results, blobs and the API connections; knows who must hear
// what from whom, and owns the turn: what came in since the last EndTurn() is one transaction, and
// nothing that acknowledges it gets out before the commit.
//
//   OnEntry OnApi* OnFileDone OnTransport OnTick --> [ControlCore] --> EndTurn --> NextOut NextApi*
//
// Ordering:  EndTurn() after every batch of inputs; outputs are drained after it. To one gateway:
//            answers to claims, then acknowledgements, then commands.
// Limits:    Options of the parts; Options here. Frames from agents pass the codec first.
// Ownership: owns its parts; borrows store, files, crypto, trust and settings for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    LoadMore(): the store's. A turn that cannot commit is undone and logged; the next one tries
//            again.
// Design:    docs/decisions/0022-group-commit.md
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backend/core/control_api_session.h"
#include "backend/core/control_results.h"
#include "backend/core/control_rollouts.h"
#include "backend/core/stream_room.h"
#include "common/base/log_line.h"

namespace holdfast::backend {

// Something for the transport to do.
struct RouteOut {
  enum class Kind : std::uint8_t { kAdd, kTrim, kRemove };
  Kind kind = Kind::kAdd;
  std::string gateway;  // whose stream; empty: our own
  std::string bytes;    // kAdd: a ToGateway message; kTrim: an entry id
};

// Totals since the start, and gauges: for the counters page.
struct ControlFigures {
  std::uint64_t commands_accepted = 0;
  std::uint64_t commands_ended = 0;
  std::uint64_t submits_refused = 0;
  std::uint64_t sweeper_sends = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t strange_refusals = 0;  // agents refused what control never sent
  std::uint64_t failed_commits = 0;
  std::uint64_t dropped_frames = 0;  // of stale sessions, or not decodable
  std::uint64_t api_connections = 0;
  std::uint64_t links = 0;
};

class ControlCore {
 public:
  struct Options {
    std::string instance;  // our own, as it stands in ToGateway.control
    std::size_t api_connections = 1024;
    Duration sweep = std::chrono::seconds(2);
    Duration forget_sweep = std::chrono::hours(1);
    // Between the transport and the disk: reading stops above the first, goes on below half of it.
    std::size_t max_pending_bytes = std::size_t{96} * 1024 * 1024;
    std::size_t max_log_lines = 64;     // per turn: a storm must not fill a disk
    std::size_t frames_per_entry = 64;  // route.proto
    Ledger::Options ledger;
    Sessions::Options sessions;
    Dispatcher::Options dispatcher;
    Results::Options results;
    Blobs::Options blobs;
    Tokens::Options tokens;
    ApiSession::Options api;
  };
  struct Ports {
    Store& store;
    OutputFiles& files;
    const sign::Crypto& crypto;
    const sign::TrustedPolicy& trust;
    const ApiSettings& settings;
    CounterBlock* counters = nullptr;  // what is at hand is noted there
  };
  ControlCore(Options options, Ports ports);

  // One table of the store a call: a large ledger takes its time, and the driver says in between
  // that it is alive. False: nothing is left, inputs may come.
  Result<bool> LoadMore();

  // --- inputs -------------------------------------------------------------------------------------
  void OnEntry(std::string_view id, std::string_view bytes, Moment now);
  void OnTransport(bool connected, Moment now);
  void OnFileDone(FileDone done, Moment now);
  // Processes died over this command, at this agent or (all zeros) wherever it goes: what has not ended of it is
  // set aside (POISON).
  void OnPoison(const DeliveryKey& key);
  void OnTick(Moment now);  // a few times a second
  // false: no room, close the socket.
  bool OnApiOpened(std::uint64_t connection, std::string peer, Moment now);
  void OnApiMessage(std::uint64_t connection, std::string_view bytes, Moment now);
  std::size_t ApiMaxMessageBytes(
      std::uint64_t connection) const;  // of the next; grows at the login
  void OnApiClosed(std::uint64_t connection);

  void EndTurn(Moment now);
  // Something waits for company: end another turn within this time.
  std::optional<Duration> turn_due_in() const;

  // --- outputs ------------------------------------------------------------------------------------
  std::optional<RouteOut> NextOut();
  std::optional<std::string> NextApiMessage(std::uint64_t connection);
  // Connections that have something to write or are to be closed; each is named once.
  std::vector<std::uint64_t> TakeApiReady();
  bool ApiHasMessages(std::uint64_t connection) const;
  // Set: close it with these words, once it has no messages.
  std::optional<std::string> ApiClosing(std::uint64_t connection) const;
  std::vector<LogLine> TakeLogs();
  bool wants_reading() const { return wants_reading_; }
  const ControlFigures& figures() const { return figures_; }

 private:
  void OnFromAgent(const std::string& gateway, const route::v1::FromAgent& from, Moment now);
  void OnFrame(const std::string& gateway, const AgentId& agent, link::v1::Frame frame, Moment now);
  void BeforeCommit(Moment now);
  void Plan(Moment now);
  Status WriteAll();
  void AfterCommit(Moment now);
  void AfterFailure(const Error& why, Moment now);
  void HearNews(Moment now);
  void Emit(Moment now);
  void EmitSends(Moment now);
  void EmitTyped(Moment now);
  void EmitBlobs(Moment now);
  void Add(const std::string& gateway, route::v1::ToGateway message, Moment now);
  void AddFrames(const std::string& gateway, const AgentId& agent,
                 const std::vector<std::string>& frames, std::string_view digest, Moment now);
  bool changed() const { return ledger_.changed() || agents_.changed() || audit_.changed(); }
  void Log(LogLine line);

  const Options options_;
  const Ports ports_;
  AuditLog audit_;
  AgentTable agents_;
  Ledger ledger_;
  Tokens tokens_;
  Sessions sessions_;
  Dispatcher dispatcher_;
  Results results_;
  Blobs blobs_;
  Rollouts rollouts_;
  StreamRoom room_;
  std::map<std::uint64_t, std::unique_ptr<ApiSession>> api_;
  std::vector<DeliveryKey> poison_;  // to be set aside, until that is on disk
  std::vector<AgentId> revoked_;     // close their links after the commit
  std::vector<TypedInput> typed_;    // by operators into terminals, in this turn
  int loaded_ = 0;                   // steps of LoadMore()
  bool connected_ = false;
  bool wants_reading_ = true;
  std::string last_entry_;  // of our own stream, not yet trimmed
  TimePoint swept_at_{};
  TimePoint forgot_at_{};
  std::optional<TimePoint> failure_logged_at_;
  std::deque<RouteOut> out_;
  std::vector<LogLine> logs_;
  ControlFigures figures_;
};

}  // namespace holdfast::backend
