// ScanServerMessage: what link must know of a message from the server that it passes on unread.
//
// Walks the outer wire format of a LinkMessage, so that an upload of blobs is not parsed twice: the
// whole, with every limit, is warden's to decode. Only Close and Goaway frames, which are small, are
// decoded here.
//
// Limits:    kMaxFramesPerMessage frames; a Close or Goaway of at most 1 KiB.
// Threading: pure functions.
// Errors:    kInvalid -> BAD_FRAME: not the outer form of a LinkMessage, or a control frame that
//            does not decode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"
#include "holdfast/link/v1/close_reason.pb.h"

namespace holdfast::agent {

struct ServerFrames {
  struct Close {
    ::holdfast::link::v1::CloseReason reason;
    Duration retry_after;
    std::string detail;  // hostile until escaped
  };
  struct Goaway {
    ::holdfast::link::v1::CloseReason reason;
    Duration window;
  };
  bool is_only_beats = false;  // nothing in it for warden
  bool has_welcome = false;    // from here on its messages may be large, whatever warden will say
  std::optional<Close> close;
  std::optional<Goaway> goaway;
};

Result<ServerFrames> ScanServerMessage(std::string_view bytes);

// Whether a message that warden wants sent begins with its Hello.
bool BeginsWithHello(std::string_view bytes);

}  // namespace holdfast::agent
