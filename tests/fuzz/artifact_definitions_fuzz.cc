// Definitions of what to collect, from anybody: whatever is accepted can be planned, and what is planned
// keeps to the limits of the command.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/sdk/artifact_definitions.h"
#include "backend/sdk/collect_plan.h"
#include "backend/sdk/verbs.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::sdk::CollectRequest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  holdfast::sdk::ArtifactSet set;
  const auto added = set.Add(text, "fuzz");
  HF_CHECK(added.ok() || !added.error().message.empty());
  for (const auto* definition : set.All()) {
    HF_CHECK(set.Find(definition->name) == definition);
    CollectRequest request;
    request.names = {definition->name};
    request.programs =
        size % 2 == 0 ? CollectRequest::Programs::kRun : CollectRequest::Programs::kLeaveOut;
    const auto plan = holdfast::sdk::PlanCollection(set, request);
    if (!plan.ok()) continue;
    HF_CHECK(holdfast::sdk::Verb::Collect(plan.value().args).ok());
  }
  return 0;
}
