// From the words of `holdfast collect` to what is signed.
//
// Threading: reads files; one thread.
#pragma once

#include "backend/cli/commands.h"
#include "backend/sdk/collect_plan.h"
#include "backend/sdk/verbs.h"

namespace holdfast::cli {

// The built-in definitions and those of --definitions; says what is wrong in them.
Result<sdk::ArtifactSet> LoadArtifacts(const Call& call);
Result<sdk::CollectPlan> PlanOf(const sdk::ArtifactSet& set, const Options& options,
                                const std::vector<std::string>& names);
// The verb; says what is left out of what was named.
Result<sdk::Verb> MakeCollect(const Call& call);

}  // namespace holdfast::cli
