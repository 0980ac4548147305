// Dialer: whom to dial and when, how long a link stands, and why it ends.
//
// The link process's core: the list of servers in order, full jitter between dials, the greeting's
// deadline, beats, and a Goaway's window. Holds no socket and no message.
//
//   OnOpened OnWelcomed OnHeard OnSpoke OnBusy OnServerClose OnGoaway OnHangUp OnClosed OnTick
//     --> [Dialer] -->  TakeDial TakeBeat TakeHangUp NextDeadline
//
//   waiting --TakeDial--> dialling --> greeting --OnWelcomed--> up
//      ^                     |            |  TakeHangUp         |  TakeHangUp
//      +------OnClosed-------+------------+---------------------+
//
// Ordering:  after TakeHangUp() the caller closes and reports OnClosed(); until then nothing is due.
//            A server that fails before Welcome makes the next in the list the next to be dialled.
//            A cut while work is open is dialled again within a second, however often it happens; only
//            dials that fail make the waits grow then.
// Limits:    Options; what a server says (delays, windows, beat intervals) is cut to our own bounds,
//            so that a hostile one cannot keep an agent away for longer than max_delay.
// Threading: thread-compatible; loop thread only.
// Errors:    none: what a peer does wrong becomes a reason.
// Design:    docs/decisions/0017-link-owns-beats.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/time.h"
#include "common/link/backoff.h"
#include "common/link/limits.h"
#include "common/link/liveness.h"
#include "holdfast/link/v1/close_reason.pb.h"

namespace holdfast::agent {

using CloseReason = ::holdfast::link::v1::CloseReason;

class Dialer {
 public:
  struct Options {
    std::size_t servers = 1;  // length of the list (or of ways to them), at least 1
    link::Backoff::Options backoff;
    // Challenge and Welcome must both be here by then: first message 10 s and control's answer 10 s.
    Duration greeting = link::kFirstMessageTimeout + link::kClaimTimeout;
    Duration max_delay = std::chrono::hours(1);  // of TRY_LATER and Goaway, whatever is asked
    Duration min_beat =
        std::chrono::seconds(1);  // of Welcome's intervals: below, beats are a load,
    Duration max_beat = std::chrono::seconds(240);  // above, NATs forget the flow (Azure: 4 min)
    Duration beat_answer = link::kBeatAnswer;
    // Two installs of one identity would take the link from each other for ever: leave room.
    Duration after_superseded = std::chrono::seconds(10);
    // Nothing changes within seconds when identity, token or certificate are refused, or when
    // something on the way does not let WebSocket through (then once the whole list was tried).
    Duration after_refusal = std::chrono::seconds(30);
    // A random moment within: a server that stops tells all of its agents at once.
    Duration after_going_away = std::chrono::seconds(30);
    // A link that stood for less is no proof that a redial at once is safe: a server that tells each link
    // to go would be dialled without end.
    Duration stood = std::chrono::seconds(10);
  };

  Dialer(Options options, std::uint32_t seed, TimePoint now);

  void OnOpened(TimePoint now);
  void OnWelcomed(Duration idle, Duration busy, TimePoint now);
  void OnHeard(TimePoint now);
  void OnSpoke(TimePoint now);
  void OnBusy(bool busy, TimePoint now);
  // A part of what was sent is on the other side, and something is still left (link/liveness.h).
  void OnDraining(TimePoint now);
  // The machine was suspended, or its clock was set: the link is asked at once, a dial waits no longer
  // than a server has asked for.
  void OnWake(TimePoint now);
  // A Close frame: the server ends the link with this reason; the socket's end follows.
  void OnServerClose(CloseReason reason, Duration retry_after);
  void OnGoaway(Duration window, TimePoint now);
  // Our own side wants it closed with this reason.
  void OnHangUp(CloseReason reason);
  // The connection is over. `seen` is what the transport saw; returns the reason that counts: what
  // the server said, else what we closed it with, else `seen`.
  CloseReason OnClosed(CloseReason seen, Duration retry_after, TimePoint now);
  void OnTick(TimePoint now);

  // Which server to dial now, by its place in the list; calling it spends it.
  std::optional<std::size_t> TakeDial();
  bool TakeBeat();  // a Beat is due: send it now
  // Close the connection now, with this reason; calling it spends it.
  std::optional<CloseReason> TakeHangUp();
  std::optional<TimePoint> NextDeadline() const;

  // Nothing is open on warden's side: what a beat tells the gateway.
  bool is_idle() const { return !busy_; }
  bool awaits_answer() const { return liveness_ && liveness_->awaits_answer(); }
  bool is_connected() const { return phase_ == Phase::kGreeting || phase_ == Phase::kUp; }

 private:
  enum class Phase : std::uint8_t { kWaiting, kDue, kDialling, kGreeting, kUp, kClosing };

  void PlanDial(CloseReason reason, Duration retry_after, TimePoint now);
  Duration AtLeast(CloseReason reason, Duration retry_after) const;
  bool IsForgottenFlow(CloseReason reason, TimePoint now) const;
  bool IsConsistent() const;

  const Options options_;
  const std::uint32_t seed_;
  link::Backoff backoff_;
  Phase phase_ = Phase::kDue;
  std::size_t server_ = 0;
  bool was_welcomed_ = false;               // this connection
  TimePoint welcomed_at_{};                 // if so
  bool busy_ = false;                       // outlives connections: warden says it once
  bool beats_often_ = false;                // the last link ended as if its path forgot it
  TimePoint dial_at_{};                     // kWaiting
  TimePoint not_before_{};                  // kWaiting: what the server or the reason ask for
  TimePoint greeting_by_{};                 // kGreeting
  std::optional<TimePoint> leave_at_;       // after a Goaway
  std::optional<link::Liveness> liveness_;  // kUp
  std::optional<CloseReason> hang_up_;      // to be taken
  std::optional<CloseReason> our_reason_;   // taken, and not yet closed
  std::optional<CloseReason> server_reason_;
  Duration server_delay_{};
};

}  // namespace holdfast::agent
