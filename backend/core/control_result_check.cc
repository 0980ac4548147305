#include "backend/core/control_result_check.h"

#include <string>
#include <utility>

#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::backend {

namespace v1 = ::holdfast::command::v1;

namespace {
constexpr std::size_t kMaxMessageBytes = 1024;  // result.proto
}

Result<v1::Result> VerifyResult(const sign::Crypto& crypto, const PublicKey& agent_key,
                                const Attempt& attempt, std::string_view envelope_bytes) {
  HF_ASSIGN_OR_RETURN(const sign::Envelope envelope,
                      sign::ParseEnvelope(envelope_bytes, sign::kResultType));
  HF_TRY(sign::VerifySignedBy(crypto, envelope, agent_key));
  HF_ASSIGN_OR_RETURN(v1::Result result, sign::ParseResult(envelope.payload()));
  if (result.command_digest() != attempt.key.digest.view() ||
      result.agent_id() != attempt.key.agent.view()) {
    return Error{Code::kCorrupt, "the result is about another command or agent"};
  }
  if (result.attempt() != attempt.number) {
    return Error{Code::kCorrupt, "the result is about another attempt"};
  }
  if (!v1::Outcome_IsValid(result.outcome()) || result.outcome() == v1::OUTCOME_UNSPECIFIED) {
    return Error{Code::kCorrupt, "the result has no outcome"};
  }
  if (result.outcome() == v1::OUTCOME_DONE && result.failure() != v1::COMMAND_FAILURE_UNSPECIFIED) {
    return Error{Code::kCorrupt, "the result is done and failed at once"};
  }
  return result;
}

Status CompareLengths(const v1::Result& result, std::uint64_t stored_bytes,
                      std::uint64_t chunk_count) {
  if (result.output_bytes() == stored_bytes && result.chunk_count() == chunk_count) return Ok();
  return Error{Code::kCorrupt, "the result speaks of " + std::to_string(result.output_bytes()) +
                                   " bytes in " + std::to_string(result.chunk_count()) +
                                   " chunks, stored are " + std::to_string(stored_bytes) + " in " +
                                   std::to_string(chunk_count)};
}

Ending EndingOf(const v1::Result& result, std::string_view envelope_bytes) {
  return {result.outcome(), result.failure(), result.message().substr(0, kMaxMessageBytes),
          std::string(envelope_bytes)};
}

Ending BadResult(std::string why) {
  return {v1::OUTCOME_FAILED, v1::COMMAND_FAILURE_BAD_RESULT, std::move(why), {}};
}

}  // namespace holdfast::backend
