// Strict parsing of signed payloads: parse one only if it has one possible meaning.
//
// protobuf keeps the last of repeated singular fields and drops unknown ones, so two readers could
// act on different commands under one signature. StrictWalk (strict_walk.h) refuses such bytes
// before the generated parser sees them; then the sizes and counts that the .proto files declare
// are checked. What comes out can be used without looking at lengths again, but for the arguments
// of verbs: those are checked by the verb, which answers BAD_ARGUMENT.
//
// Threading: pure functions.
// Errors:    kInvalid, naming the field. ParseCommand() only: kUnsupported for a well-formed
// command
//            whose verb this build does not know.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "holdfast/command/v1/command.pb.h"
#include "holdfast/command/v1/envelope.pb.h"
#include "holdfast/command/v1/result.pb.h"
#include "holdfast/command/v1/trust.pb.h"
#include "holdfast/command/v1/update.pb.h"

namespace holdfast::sign {

Result<::holdfast::command::v1::Command> ParseCommand(std::string_view payload);
Result<::holdfast::command::v1::Policy> ParsePolicy(std::string_view payload);
Result<::holdfast::command::v1::OperatorCert> ParseCert(std::string_view payload);
Result<::holdfast::command::v1::Login> ParseLogin(std::string_view payload);
Result<::holdfast::command::v1::AgentHello> ParseHello(std::string_view payload);
Result<::holdfast::command::v1::PtyKey> ParsePtyKey(std::string_view payload);
Result<::holdfast::command::v1::Result> ParseResult(std::string_view payload);
Result<::holdfast::command::v1::UpdateRoot> ParseUpdateRoot(std::string_view payload);
Result<::holdfast::command::v1::Release> ParseRelease(std::string_view payload);

// The fields only; ParseEnvelope() of envelope.h has the limits.
Result<::holdfast::command::v1::Envelope> ParseEnvelopeFields(std::string_view bytes);

}  // namespace holdfast::sign
