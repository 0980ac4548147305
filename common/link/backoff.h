// Backoff: when to dial again. Full jitter: a random moment in [0, min(cap, base x 2^n)].
//
// n counts failures in a row and returns to 0 after a link that stood for `stable`, or when Forget()
// says that the link was of use. A close may say
// more: TRY_LATER redials not before its delay (and then with jitter, or all would come at once);
// GOING_AWAY leaves at a moment Within() its window and redials at once.
//
// Threading: thread-compatible; loop thread only.
#pragma once

#include <cstdint>
#include <random>

#include "common/base/time.h"

namespace holdfast::link {

class Backoff {
 public:
  struct Options {
    Duration base = std::chrono::seconds(1);
    Duration cap = std::chrono::seconds(60);     // a minute: bearable for a person waiting
    Duration stable = std::chrono::seconds(60);  // less would let a crash loop dial at full speed
  };
  Backoff(Options options, std::uint32_t seed) : options_(options), random_(seed) {}

  void OnOpened(TimePoint now) {
    opened_at_ = now;
    is_open_ = true;
  }
  void Forget() { failures_ = 0; }
  // How long to wait before the next dial; `at_least` from the server, zero if it said nothing.
  Duration OnClosed(TimePoint now, Duration at_least);
  // A random moment in [0, window].
  Duration Within(Duration window);

 private:
  Options options_;
  std::minstd_rand random_;
  TimePoint opened_at_{};
  bool is_open_ = false;
  std::uint32_t failures_ = 0;
};

}  // namespace holdfast::link
