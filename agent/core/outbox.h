// Outbox: which frames go up next, over all open commands.
//
// Syncs and blob requests first, then records: round robin among the commands whose output is small
// so far, then round robin among the others, so that a query answers while a file is fetched. What
// is ready in one turn leaves as one message. No more is in flight over all commands than the path needs
// (PathMeter), or what overtakes here would wait in the network; a small answer does not count, and large output
// gives way to it (LargeLane).
//
// Limits:    kMaxFramesPerMessage frames; a record joins a message only while it holds less than
//            kJoinBytes, so that with one full chunk it stays below the link's maximum, and on a slow
//            path less than a piece.
// Ownership: borrows the table; owns one message that is reused.
// Threading: thread-compatible; loop thread only.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "agent/core/large_lane.h"
#include "agent/core/open_command.h"
#include "common/base/result.h"
#include "common/link/codec.h"
#include "common/link/path_meter.h"

namespace holdfast::agent {

class Outbox {
 public:
  static constexpr std::size_t kJoinBytes = 32 * 1024;
  // In flight of one small output beside the path's window.
  static constexpr std::size_t kSmallBytes = 4 * 1024;

  explicit Outbox(CommandTable& table) : table_(table) {}

  void OnLinkUp(TimePoint now);
  void OnLinkDown();
  void OnTick(TimePoint now);
  // `cost`: of what an Ack has newly acknowledged (StreamSender::delivered_cost).
  void OnAcked(std::uint64_t cost, TimePoint now) { path_.OnAcked(cost, now); }

  struct Lost {  // a record could not be read back
    Digest digest;
    Error why;
  };
  // Fills message() with what is to be sent now; false if nothing is.
  bool Fill(TimePoint now, std::optional<Lost>& lost);
  const link::LinkMessage& message() const { return message_; }
  const link::PathMeter& path() const { return path_; }
  std::optional<TimePoint> NextDeadline() const;
  // Gives the message's memory back.
  void Shrink() { message_ = link::LinkMessage(); }

 private:
  void Pace(TimePoint now);
  bool HasRoom(const link::StreamSender& sender, bool interactive) const;
  void AddSyncs(TimePoint now);
  void AddBlobRequests(TimePoint now);
  void AddRecords(TimePoint now, bool interactive, std::optional<Lost>& lost);

  CommandTable& table_;
  link::PathMeter path_;
  LargeLane large_;
  std::uint64_t in_flight_ = 0;  // cost over all commands, while Fill() runs
  link::LinkMessage message_;
  std::size_t message_bytes_ = 0;
  std::size_t next_ = 0;  // whose turn it is
  bool is_up_ = false;
};

}  // namespace holdfast::agent
