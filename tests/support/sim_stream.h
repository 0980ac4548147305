// SimStream: one command's stream of records from an agent to control's disk over a bad path, in
// simulated time, from one seed.
//
// Plays both drivers and everything between them. Two hops each way: the socket, which is ordered and
// loses all it holds when it is cut, and Redis, which is ordered too but may forget (one entry or
// all, in silence) and repeat (a reader that starts again at 0). Control's disk forgets what was not
// synced when control dies; the agent's spool forgets nothing, but the journal may lag behind the acks.
//
//   [spool, StreamSender] --socket--> --redis--> [StreamReceiver, pending --Sync--> stored]
//                         <--socket-- <--redis--
//
// The same seed gives the same run on every platform: the standard fixes what std::mt19937 yields, and
// no standard distribution, which it does not fix, is used.
//
// Limits:    none of its own: what a run can pile up is what the window allows.
// Threading: thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "common/link/stream_receiver.h"
#include "common/link/stream_sender.h"

namespace holdfast::testing {

class SimStream {
 public:
  // How often each trouble really hit something.
  struct Troubles {
    int cut_in_flight = 0;    // frames that died in a cut socket
    int flushed = 0;          // entries that Redis forgot at once
    int dropped = 0;          // single entries that Redis forgot
    int repeated = 0;         // entries that were read again
    int crashed_records = 0;  // unsynced records that died with control
    int failed_syncs = 0;     // with records in them
    int agent_restarts = 0;   // same attempt, state rebuilt from journal and spool
    int reruns = 0;           // a later attempt
    int duplicates = 0;       // records that control had already
    int gaps = 0;
    int stale = 0;         // records of an earlier attempt
    int stale_acks = 0;    // acks that came late
    int window_stops = 0;  // the sender had records and no credit
    int timeouts = 0;      // the sender went back, or asked again, by itself
  };
  struct Record {
    std::uint32_t attempt;
    std::uint64_t seq;
    std::uint32_t bytes;
    bool final;
    friend bool operator==(const Record&, const Record&) = default;
  };

  explicit SimStream(std::uint32_t seed) : random_(seed) { StartAttempt(1); }

  // --- the agent
  void Produce(bool final);  // a record is in the spool, if the sender takes it
  void Connect();
  void Cut();
  void RestartAgent();  // warden dies and comes back
  void RerunCommand();  // ... while the command ran, and it is idempotent
  // --- Redis
  void FlushRedis();
  void DropOne();
  void RereadRedis();
  // --- control
  void Sync();  // what is pending is on disk
  void FailSync();
  void CrashControl();
  void SetWindow(std::uint32_t bytes) { window_bytes_ = bytes; }

  // Up to `moves` frames move on each hop, then `step` passes. Returns how many moved.
  int Step(int moves, Duration step);

  bool complete() const { return sender_->complete(); }
  bool final_produced() const { return !spool_.empty() && spool_.back().final; }
  TimePoint now() const { return now_; }
  const std::vector<Record>& spool() const { return spool_; }  // of the current attempt
  const std::vector<Record>& stored() const {
    return stored_;
  }  // of the attempt that control knows
  const Troubles& troubles() const { return troubles_; }
  // Empty, or the first promise that did not hold.
  const std::string& broken() const { return broken_; }

  // A number in [0, n); the bias of % is of no interest here.
  std::uint32_t Roll(std::uint32_t n) { return static_cast<std::uint32_t>(random_()) % n; }

 private:
  struct SyncFrame {
    std::uint32_t attempt;
  };
  struct AckFrame {
    std::uint32_t attempt;
    link::StreamSender::Acked acked;
  };
  using Up = std::variant<Record, SyncFrame>;

  // An ordered queue that remembers what was read, so that it can be read again.
  template <typename T>
  struct RedisStream {
    std::deque<T> unread;
    std::deque<T> read;  // not trimmed yet
  };
  static constexpr std::size_t kUntrimmed = 64;  // entries a reader that starts again sees twice

  void StartAttempt(std::uint32_t attempt);
  int LoadSocket();
  int ControlReads();
  int AgentReads();
  void OnUp(const Up& up);
  void OnRecordAtControl(const Record& record);
  void SendAck();
  void TickSender();
  void Expect(bool holds, const char* promise);
  template <typename T>
  static std::optional<T> Pop(std::deque<T>& queue);
  template <typename T>
  static std::optional<T> Read(RedisStream<T>& stream);

  std::mt19937 random_;
  TimePoint now_{std::chrono::hours(1)};
  Troubles troubles_;
  std::string broken_;

  std::uint32_t attempt_ = 0;
  std::vector<Record> spool_;
  std::uint64_t journaled_acks_ = 0;
  std::uint32_t agent_window_bytes_ = 0;  // what the last ack that counts granted
  std::optional<link::StreamSender> sender_;
  std::map<std::uint32_t, std::vector<Record>> made_;  // every attempt's records, for comparison

  bool connected_ = false;
  std::deque<Up> socket_up_;
  std::deque<AckFrame> socket_down_;
  RedisStream<Up> redis_up_;
  RedisStream<AckFrame> redis_down_;

  std::uint32_t window_bytes_ = link::kInitialWindowBytes;
  std::optional<link::StreamReceiver> receiver_{link::StreamReceiver::Position{}};
  std::vector<Record> pending_;
  std::vector<Record> stored_;
};

}  // namespace holdfast::testing
