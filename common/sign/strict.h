// Strict parsing of signed payloads: parse one only if it has one possible meaning.
//
// protobuf keeps the last of repeated singular fields and drops unknown ones, so two readers could
// act on different commands under one signature. This walks the wire bytes by a table of known
// fields before the generated parser sees them: unknown field, repeated singular field (two members
// of one oneof count as such), wrong wire type, depth over 8 or an over-long varint refuse.
//
// Threading: pure functions.
// Errors:    kInvalid, with the field's number in the message.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "holdfast/command/v1/command.pb.h"
#include "holdfast/command/v1/result.pb.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::sign {

Result<::holdfast::command::v1::Command> ParseCommand(std::string_view payload);
Result<::holdfast::command::v1::Policy> ParsePolicy(std::string_view payload);
Result<::holdfast::command::v1::OperatorCert> ParseCert(std::string_view payload);
Result<::holdfast::command::v1::Login> ParseLogin(std::string_view payload);
Result<::holdfast::command::v1::AgentHello> ParseHello(std::string_view payload);
Result<::holdfast::command::v1::Result> ParseResult(std::string_view payload);

}  // namespace holdfast::sign
