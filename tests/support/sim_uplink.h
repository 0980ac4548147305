// SimUplink: the answers of one agent on their way to control's disk over a path of some rate, in
// simulated time.
//
// The agent's half is real (Outbox, AnswerStream, PathMeter over a spool in memory), control's half is a
// StreamReceiver per command. Between them one line: what is sent queues before it without end, as in the
// buffers of sockets, proxies and routers, goes through at the line's rate, and arrives after half a round
// trip. Acks go back unhindered. A cut loses all that is under way.
//
//   [worker -> AnswerStream -> Outbox] --queue, rate--> [StreamReceiver, disk] --acks--> [Outbox]
//
// Threading: thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "agent/core/outbox.h"
#include "common/link/stream_receiver.h"
#include "tests/support/fake_spool.h"

namespace holdfast::testing {

class SimUplink {
 public:
  struct Path {
    std::uint64_t bytes_per_second;
    Duration one_way;
    Duration commit = std::chrono::milliseconds(10);  // from arrival to the ack's departure
    std::uint32_t window_bytes = link::kMaxWindowBytes;
  };
  // `step`: how finely time passes.
  explicit SimUplink(const Path& path, Duration step = std::chrono::milliseconds(1))
      : step_(step), path_(path), outbox_(table_) {}

  void SetPath(const Path& path) { path_ = path; }
  void Connect();
  void Cut();
  // A command whose worker has this much to say at once, as fast as it is taken. Returns its number.
  std::size_t Begin(std::uint64_t bytes);
  void Step(Duration time);

  TimePoint now() const { return now_; }
  bool is_complete(std::size_t command) const {
    return controls_[command].completed_at.has_value();
  }
  bool all_complete() const;
  // From when control sent the command to when it had all of the answer.
  Duration took(std::size_t command) const;
  // What control stored is what the worker said.
  bool is_exact(std::size_t command) const;
  bool is_up() const { return is_up_; }

  std::uint64_t sent_bytes() const { return sent_bytes_; }      // all that went into the line
  std::uint64_t stored_bytes() const { return stored_bytes_; }  // payload, once each
  std::uint64_t repeated_bytes() const {
    return repeated_bytes_;
  }  // payload that had been sent before
  std::uint64_t peak_queue_bytes() const { return peak_queue_bytes_; }
  std::uint64_t chunks() const { return chunks_; }
  std::uint64_t peak_spool_bytes() const { return peak_spool_bytes_; }
  const link::PathMeter& path() const { return outbox_.path(); }

 private:
  struct Worker {
    std::uint64_t left;
    std::string said;
    std::uint64_t sent_upto = 0;  // first record that never left
  };
  struct Control {
    link::StreamReceiver receiver{link::StreamReceiver::Position{}};
    std::string stored;
    bool has_final = false;
    TimePoint sent_at{};
    std::optional<TimePoint> completed_at;
  };
  struct UpMessage {
    TimePoint arrives;
    link::LinkMessage message;
  };
  struct DownAck {
    TimePoint arrives;
    std::size_t command;
    ::holdfast::link::v1::Ack ack;
  };
  void Produce();
  void Send();
  void Arrive();
  void TakeAcks();
  void OnUp(const ::holdfast::link::v1::Up& up);
  void SendAck(std::size_t number);
  std::size_t NumberOf(const std::string& digest) const;

  const Duration step_;
  Path path_;
  TimePoint now_{std::chrono::hours(1)};
  FakeSpoolDisk disk_;
  FakeSpool spool_{disk_};
  agent::CommandTable table_;
  agent::Outbox outbox_;
  bool is_up_ = false;
  std::vector<Worker> workers_;
  std::vector<Control> controls_;
  std::deque<UpMessage> line_;
  std::deque<DownAck> acks_;
  double line_free_at_ms_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t stored_bytes_ = 0;
  std::uint64_t repeated_bytes_ = 0;
  std::uint64_t peak_queue_bytes_ = 0;
  std::uint64_t peak_spool_bytes_ = 0;
  std::uint64_t chunks_ = 0;
};

}  // namespace holdfast::testing
