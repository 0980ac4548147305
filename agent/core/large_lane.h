// LargeLane: when large output gives way to small answers.
//
// A path that is full holds a queue, in the network and before every process on the way, and a small answer waits in
// it. So for kGivesWay after a small answer passed it, or while somebody types, large output goes at a quarter of the rate
// that the path has shown: at that no queue forms. It is the rate and not the window that is made less: how long an
// acknowledgement takes depends on control's disk as well, and a window would follow that down to nothing.
//
//   OnSmallAnswer OnSent --> [LargeLane] --> HasRoom  NextDeadline
//
// Limits:    never less than 8 MB/s: on slower paths the window alone keeps the queue short.
// Threading: thread-compatible; a value.
// Errors:    none.
// Design:    docs/decisions/0143-large-output-gives-way.md
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/time.h"

namespace holdfast::agent {

class LargeLane {
 public:
  // A console's user asks again within that; a fetch that nobody asks beside is at its full rate soon.
  static constexpr Duration kGivesWay = std::chrono::seconds(3);

  void OnLinkDown() { *this = LargeLane(); }
  void OnSmallAnswer(TimePoint now);
  // Before each turn. Bytes a second that the path has shown; nullopt: none yet, and it does not give way.
  void OnTurn(std::optional<std::uint64_t> path_rate, TimePoint now);
  void OnSent(std::uint64_t bytes);

  // As of the last turn. One record more may go, however large.
  bool HasRoom() const { return !gives_way() || credit_ > 0; }
  // When there is room again; nullopt: there is.
  std::optional<TimePoint> NextDeadline() const;

 private:
  bool gives_way() const { return rate_ != 0; }

  std::optional<TimePoint> until_;
  TimePoint counted_at_{};
  std::int64_t rate_ = 0;    // bytes a second; 0: as fast as the window lets it
  std::int64_t credit_ = 0;  // bytes
};

}  // namespace holdfast::agent
