// Greeting: the agent's half of opening a link, from the challenge to the welcome.
//
//   kDown --OnOpened--> kWaitChallenge --OnChallenge--> kWaitWelcome --OnWelcome--> kOpen
//     any --OnClosed--> kDown
//
// Ordering:  the epoch is raised on disk before the Hello that carries it exists; the contact is on
//            disk before the link counts as open. A full disk gives up its reserve for both.
// Limits:    kGreetingTimeout from OnOpened to OnWelcome.
// Ownership: borrows Parts and Identity.
// Threading: thread-compatible; loop thread only.
// Errors:    a refusal is the reason to hang up with; the phase is then as before. A server that knows
//            more than this journal (Welcome.journal_reverted) ends the incarnation: GOING_AWAY, and
//            the next Hello names the new one.
// Design:    docs/protocol.md, "The link: from dial to open"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agent/core/identity.h"
#include "agent/core/moment.h"
#include "common/link/codec.h"

namespace holdfast::agent {

struct HangUp {
  link::CloseReason reason;
  std::string detail;
};

class Greeting {
 public:
  enum class Phase : std::uint8_t { kDown, kWaitChallenge, kWaitWelcome, kOpen };
  // First message (10 s) and control's answer to the claim (10 s), as limits.h of the link has
  // them.
  static constexpr Duration kTimeout = std::chrono::seconds(20);

  Greeting(const Parts& parts, const Identity& identity) : parts_(parts), identity_(identity) {}

  void OnOpened(std::string_view host, TimePoint now);
  void OnClosed();
  // The Hello frame to send.
  std::variant<link::Frame, HangUp> OnChallenge(const ::holdfast::link::v1::Challenge& challenge);
  std::optional<HangUp> OnWelcome(const ::holdfast::link::v1::Welcome& welcome, Moment at);

  Phase phase() const { return phase_; }
  bool is_open() const { return phase_ == Phase::kOpen; }
  std::uint64_t epoch() const { return epoch_; }  // of the newest Hello
  std::optional<TimePoint> NextDeadline() const;

 private:
  const Parts& parts_;
  const Identity& identity_;
  bool MakesRoom(const Error& refused);
  Phase phase_ = Phase::kDown;
  std::string host_;
  std::uint64_t epoch_ = 0;
  TimePoint opened_at_{};
};

}  // namespace holdfast::agent
