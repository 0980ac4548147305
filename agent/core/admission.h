// Admission: what to do with a delivered envelope, decided before anything is kept or run.
//
//   Check -> Admitted (to be journaled and run) | Refused (to be answered) | Dropped (nothing to
//   do)
//
// Ordering:  a command that is open is recognised by its digest before any signature is checked: a
//            repeated delivery costs a hash. The journal is asked last.
// Limits:    kRememberedRefusals digests, so that a delivery repeated by the backend cannot run
// after
//            its refusal was reported (a clock may have moved, room may have come).
// Ownership: borrows Parts, Identity and the table.
// Threading: thread-compatible; loop thread only.
// Design:    docs/protocol.md, "What the endpoint checks"
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agent/core/identity.h"
#include "agent/core/moment.h"
#include "agent/core/open_command.h"
#include "agent/core/verify_cache.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"

namespace holdfast::agent {

class Admission {
 public:
  static constexpr std::size_t kRememberedRefusals = 256;  // 9 KiB

  struct Admitted {
    sign::VerifiedCommand command;
  };
  struct Refused {
    Digest digest;
    ::holdfast::command::v1::CommandFailure failure;
    std::string message;
    // Verified, and refused for want of room or because it is early: to be journaled, so that it never runs.
    std::optional<sign::VerifiedCommand> command;
  };
  struct Dropped {
    std::string_view why;  // a static text
    // Set: it was altered or forged. It may bear the name of a genuine command that is yet to come, so
    // it is neither answered nor remembered.
    std::optional<Digest> forged;
  };
  using Verdict = std::variant<Admitted, Refused, Dropped>;

  Admission(const Parts& parts, const Identity& identity, const CommandTable& table)
      : parts_(parts), identity_(identity), table_(table), crypto_(parts.crypto) {}

  Verdict Check(std::string_view envelope, std::string_view cert_envelope, Moment at);
  // A refusal of it, that no journal holds, was reported: it must not run later.
  void Remember(const Refused& refused);
  std::uint64_t forged() const { return forged_; }  // dropped since the start

 private:
  bool IsSignersOwn(const sign::Envelope& envelope, std::string_view cert_envelope);
  Verdict CheckJournal(sign::VerifiedCommand command);
  std::size_t CountOpen() const;      // neither refusals nor those that need no room
  std::size_t CountRoomless() const;  // cancels, and what warden does itself

  const Parts& parts_;
  const Identity& identity_;
  const CommandTable& table_;
  VerifyCache crypto_;
  struct Memory {
    Digest digest;
    ::holdfast::command::v1::CommandFailure failure{};
  };
  std::array<Memory, kRememberedRefusals> refused_{};
  std::size_t next_refused_ = 0;
  std::uint64_t forged_ = 0;
};

}  // namespace holdfast::agent
