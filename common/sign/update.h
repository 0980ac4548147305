// What may be installed: roots -> update root -> release. Who gets it is the chain of commands (chain.h).
//
//   the fleet's roots (pinned)  sign  UpdateRoot: which update keys, how many of them
//   the update keys             sign  Release: version, and hash and size of each architecture's program
//
// Every document of a fleet hangs directly from its pinned roots: who knows update root 1 takes 4 without 2 and 3.
//
// Threading: pure but for the Crypto handed in.
// Errors:    kInvalid: it does not parse. kDenied: signatures, fleet. kExpired: it has ended.
// Design:    docs/decisions/0115-self-update.md
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/sign/chain.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/update.pb.h"

namespace holdfast::sign {

Result<::holdfast::command::v1::UpdateRoot> VerifyUpdateRoot(const Crypto& crypto,
                                                             const TrustedPolicy& trust,
                                                             std::string_view envelope,
                                                             WallTime now);
Result<::holdfast::command::v1::Release> VerifyRelease(
    const Crypto& crypto, const ::holdfast::command::v1::UpdateRoot& root,
    std::string_view envelope, WallTime now);

// The program for an architecture; null: the release has none.
const ::holdfast::command::v1::ReleaseFile* FileFor(const ::holdfast::command::v1::Release& release,
                                                    std::string_view arch);

}  // namespace holdfast::sign
