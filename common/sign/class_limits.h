// ClassLimits: what the policy's class says of the limits of its commands (limits.proto).
//
//   policy -> [class] -> SignLimits() at the signer -> command -> LimitAbove() at the client, control and the endpoint
//
// Threading: pure functions.
// Design:    docs/decisions/0136-limits-in-the-policy.md
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "holdfast/command/v1/limits.pb.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::sign {

// Fills what the operator did not name.
void SignLimits(const ::holdfast::command::v1::VerbClass& verb_class,
                ::holdfast::command::v1::Limits& limits);
// The name of a limit that is above what the class allows, or is not signed though the class bounds it, in words; nullopt: none.
std::optional<std::string> LimitAbove(const ::holdfast::command::v1::VerbClass& verb_class,
                                      const ::holdfast::command::v1::Limits& limits);
// A bound without a default within it, in words; nullopt: none.
std::optional<std::string> BoundWithoutDefault(
    const ::holdfast::command::v1::VerbClass& verb_class);
// Sets the limit of this name; false: there is none of it, or `value` is more than it can hold.
bool SetLimit(::holdfast::command::v1::Limits& limits, std::string_view name, std::uint64_t value);

}  // namespace holdfast::sign
