// The codec: LinkMessage and Frame to bytes and back, within the declared limits.
//
// The generated lite types are the frame types (docs/decisions/0003-*); this is the only place that
// parses them from a peer's bytes. A message that comes out has passed every limit of limits.h and
// link.proto (lengths of ids, nonces, strings, chunk sizes, crc32c of chunks, counts) and holds
// only frames that may travel in the given direction.
//
// Threading: pure functions.
// Errors:    kInvalid -> BAD_FRAME, kExhausted -> FRAME_TOO_LARGE, kDenied -> UNEXPECTED_FRAME.
#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "holdfast/link/v1/close_reason.pb.h"
#include "holdfast/link/v1/link.pb.h"

namespace holdfast::link {

using ::holdfast::link::v1::CloseReason;
using ::holdfast::link::v1::Frame;
using ::holdfast::link::v1::LinkMessage;

enum class Direction { kUp, kDown };  // kUp: from an agent

Result<LinkMessage> DecodeMessage(std::string_view bytes, Direction direction);
Result<Frame> DecodeFrame(std::string_view bytes, Direction direction);
std::string EncodeMessage(const LinkMessage& message);
// Without it libprotobuf writes a line of its own on stderr for text that is not UTF-8, as often as a
// stranger likes. The codec calls it; so does whoever parses other messages from outside.
void SilenceProtobuf();
CloseReason CloseReasonFor(const Error& decode_error);

// "peer_gone", ... : the catalogue's name without its prefix, in lower case.
std::string_view ToString(CloseReason reason);

}  // namespace holdfast::link
