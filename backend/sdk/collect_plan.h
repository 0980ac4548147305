// PlanCollection: names of artifacts, as the concrete sources that are signed.
//
// Groups are resolved in order, each definition once. What cannot be had from Linux, or was not allowed,
// is left out and said in `notes`.
//
// Limits:    kMaxGroupDepth; those of command.proto.
// Threading: pure function.
// Errors:    kNotFound: no such name; kInvalid: nothing is left, or too much.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "backend/sdk/artifact_definitions.h"
#include "common/base/result.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::sdk {

struct CollectRequest {
  std::vector<std::string> names;
  std::vector<std::string> paths;  // patterns of the analyst's own
  // Programs of definitions: run them, or leave them out. Three are answered from tables anyway.
  enum class Programs : std::uint8_t { kLeaveOut, kRun };
  Programs programs = Programs::kLeaveOut;
};

struct CollectPlan {
  ::holdfast::command::v1::CollectArgs args;
  std::vector<std::string> notes;  // for people, safe on a terminal
};

inline constexpr std::size_t kMaxGroupDepth = 32;  // public definitions nest to 3

Result<CollectPlan> PlanCollection(const ArtifactSet& set, const CollectRequest& request);

}  // namespace holdfast::sdk
