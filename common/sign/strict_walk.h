// StrictWalk: whether wire bytes are a message that has one meaning, by a table of its fields.
//
// Refuses: an unknown field, a singular field or a oneof set twice, a wrong wire type, a number
// that does not fit its field, a varint longer than it need be, a repeated scalar that is not one
// packed run, text that is not UTF-8, depth above kMaxDepth, a length beyond the bytes there are. Says nothing of what
// values mean.
//
// Threading: pure function.
// Errors:    kInvalid with message and field number; kUnsupported if the only thing wrong is
//            a field of the rule's open range: another version's verb.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/sign/strict_rules.h"

namespace holdfast::sign {

inline constexpr int kMaxDepth = 8;  // our deepest payload has 3; recursion here and in protobuf

Status StrictWalk(std::string_view wire, const MessageRule& rule);

}  // namespace holdfast::sign
