#include "backend/cli/reason_names.h"

#include <string_view>

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;
namespace api = ::holdfast::api::v1;

// The value's name without what all values of its enum begin with.
std::string Bare(const std::string& name, std::string_view prefix, int number) {
  if (name.starts_with(prefix)) return name.substr(prefix.size());
  return "UNKNOWN_" + std::to_string(number);  // of a newer backend or agent
}

}  // namespace

std::string FailureName(pb::CommandFailure failure) {
  return Bare(pb::CommandFailure_Name(failure), "COMMAND_FAILURE_", failure);
}
std::string OutcomeName(pb::Outcome outcome) {
  return Bare(pb::Outcome_Name(outcome), "OUTCOME_", outcome);
}
std::string StateName(api::DeliveryState state) {
  return Bare(api::DeliveryState_Name(state), "DELIVERY_STATE_", state);
}

}  // namespace holdfast::cli
