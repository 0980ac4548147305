// Targets: which agents the words of a command line mean.
//
//   all              every agent                 label:K=V   every agent with this label
//   HOSTNAME         the one agent of this name   a1b2...     the one agent whose id begins so
//   several of them, separated by commas
//
// A hostname is its agent's claim, an id is the hash of its key: a claim never wins over an id. The 32
// digits of a whole id mean that agent alone, whatever another one is called; a name that is one agent's
// hostname and the beginning of another's id is an error. What fits nothing or several agents is an
// error that says which.
//
// Limits:    an id's prefix has at least kMinPrefix digits; at most 1000 targets.
// Threading: pure functions.
// Errors:    kNotFound: nothing fits. kInvalid: several fit, or the words are no target.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::sdk {

inline constexpr std::size_t kMinPrefix = 4;  // hex digits, as api.proto has it

struct TargetTerm {
  enum class Kind : std::uint8_t { kAll, kLabel, kName };
  Kind kind = Kind::kName;
  std::string text;  // "K=V" of a label, or the name
};
Result<std::vector<TargetTerm>> ParseTargets(std::string_view text);
// Several may answer: results then say which host they are from.
bool MayBeSeveral(const std::vector<TargetTerm>& terms);

// The request that brings every agent which could fit the term.
::holdfast::api::v1::ListAgents FilterFor(const TargetTerm& term);

struct Target {
  AgentId id;
  std::string hostname;  // a claim of the agent: hostile until escaped
  bool online = false;
};
// Those of `candidates` that the term means.
Result<std::vector<Target>> SelectTargets(
    const TargetTerm& term, const std::vector<::holdfast::api::v1::Agent>& candidates);

}  // namespace holdfast::sdk
