// Liveness: one end's view of whether the other is still there.
//
// The agent asks (Beat) when it has said nothing for an interval, and expects some frame within the
// answer time; any frame heard is a sign of life. Once idle again it beats once more within the busy
// interval: until the gateway hears that beat, it expects the short one. A gateway uses SilentFor of its own sweep
// instead: it keeps four bytes per link, not this object.
//
//   OnHeard OnSpoke SetBusy OnTick --> [Liveness] --> TakeBeat dead NextDeadline
//
// Threading: thread-compatible; loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "common/base/time.h"
#include "common/link/limits.h"

namespace holdfast::link {

class Liveness {
 public:
  struct Options {
    Duration idle = kBeatIdle;  // jittered +-10 % per beat
    Duration busy = kBeatBusy;  // jittered +-20 % per beat
    Duration answer = kBeatAnswer;
  };
  Liveness(Options options, std::uint32_t seed, TimePoint now);

  void OnHeard(TimePoint now);
  void OnSpoke(TimePoint now);
  void SetBusy(bool busy, TimePoint now);
  void OnTick(TimePoint now);
  bool TakeBeat();  // a Beat is due: send it now
  bool dead() const { return dead_; }
  std::optional<TimePoint> NextDeadline() const;

 private:
  void PlanBeat(TimePoint now);
  Options options_;
  std::minstd_rand random_;
  bool busy_ = false;
  bool owes_idle_ = false;  // was busy, and has not beaten since it is not
  bool owe_beat_ = false;
  bool dead_ = false;
  TimePoint beat_at_{};
  std::optional<TimePoint> answer_by_;
};

}  // namespace holdfast::link
