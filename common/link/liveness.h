// Liveness: one end's view of whether the other is still there.
//
// The agent asks (Beat) when it has said nothing for an interval, and expects some frame within the
// answer time, counted from when the beat left; any frame heard is a sign of life. On a slow path a beat
// waits behind what was sent before it: as long as that gets less (OnDraining), the answer is not late. Once idle again it beats once more within the busy
// interval: until the gateway hears that beat, it expects the short one. A gateway uses SilentFor of its own sweep
// instead: it keeps four bytes per link, not this object.
//
//   OnHeard OnSpoke OnDraining OnWake SetBusy OnTick --> [Liveness] --> TakeBeat dead NextDeadline
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
    Duration wake_answer = kWakeAnswer;  // of the beat after a suspend
  };
  Liveness(Options options, std::uint32_t seed, TimePoint now);

  void OnHeard(TimePoint now);
  void OnSpoke(TimePoint now);  // the first after TakeBeat() is the beat itself
  // The peer's kernel took a part of what was sent before the beat.
  void OnDraining(TimePoint now);
  // The machine was suspended, or its clock was set: ask now.
  void OnWake(TimePoint now);
  void SetBusy(bool busy, TimePoint now);
  void OnTick(TimePoint now);
  bool TakeBeat();  // a Beat is due: send it now
  bool dead() const { return dead_; }
  // For how long nothing was heard or said.
  Duration quiet(TimePoint now) const { return now - heard_or_spoke_at_; }
  bool awaits_answer() const { return answer_by_.has_value(); }
  std::optional<TimePoint> NextDeadline() const;

 private:
  void PlanBeat(TimePoint now);
  Options options_;
  std::minstd_rand random_;
  bool busy_ = false;
  bool owes_idle_ = false;  // was busy, and has not beaten since it is not
  bool owe_beat_ = false;
  bool beat_leaves_ = false;  // taken, and not yet said
  bool dead_ = false;
  TimePoint heard_or_spoke_at_{};
  TimePoint beat_at_{};
  Duration answer_ = kBeatAnswer;  // of the beat that is owed or under way
  std::optional<TimePoint> answer_by_;
};

}  // namespace holdfast::link
