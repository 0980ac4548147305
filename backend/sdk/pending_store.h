// PendingStore: signed commands from before they are sent until their fate is known.
//
// A call that timed out may or may not have been accepted. The same bytes sent again are the same
// command; a new signature would be a second one. So the bytes lie here until control has answered.
//
//   Add --> submit --> answered: Remove       not answered: they stay, List() shows them
//
// Ordering:  a command that acts is on disk when Add() returns; one that only reads survives the end
//            of the program, not of the machine.
// Limits:    kMaxPending; above it Add() is kExhausted.
// Threading: one thread; several programs may share a directory.
// Errors:    those of files.h.
#pragma once

#include <string>
#include <vector>

#include "backend/sdk/sign_command.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::sdk {

// Whether an answer to a submitted command leaves open if control has it: its store failed, before or
// after the command was written. The bytes must stay then.
bool LeavesInDoubt(const ::holdfast::api::v1::ServerMessage& answer);

class PendingStore {
 public:
  static constexpr std::size_t kMaxPending = 1000;  // more means that nobody looks
  explicit PendingStore(std::string dir) : dir_(std::move(dir)) {}

  Status Add(const SignedCommand& command) const;
  Status Remove(const Digest& digest) const;
  // Oldest digest text first; files that are no commands are left alone and not listed.
  Result<std::vector<SignedCommand>> List(const sign::Crypto& crypto) const;

 private:
  std::string PathOf(const Digest& digest) const;
  std::string dir_;
};

}  // namespace holdfast::sdk
