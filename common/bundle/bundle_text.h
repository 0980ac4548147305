// Bundle text: an enrolment bundle as people and pipes carry it.
//
//   -----BEGIN HOLDFAST BUNDLE-----
//   base64url of the serialized Bundle, lines of 76
//   -----END HOLDFAST BUNDLE-----
//
// Text before the first and after the last line is ignored, so a bundle may come out of a mail or a
// ticket; line ends may be LF or CRLF. What the bundle says is not checked here beyond its limits:
// the policy inside is verified by whoever uses it.
//
// Limits:    kMaxBundleTextBytes of text; 1..8 servers, 16 KiB of CA, a 16-byte fleet id.
// Threading: pure functions.
// Errors:    ParseBundle(): kInvalid, and says what is wrong with the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast {

// A CA of 16 KiB, a policy of 60 KiB and the rest, in base64, with words around it.
inline constexpr std::size_t kMaxBundleTextBytes = std::size_t{256} * 1024;

std::string FormatBundle(const ::holdfast::command::v1::Bundle& bundle);
Result<::holdfast::command::v1::Bundle> ParseBundle(std::string_view text);

}  // namespace holdfast
