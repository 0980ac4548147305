// LinkFramer: bytes of the warden-link socketpair to messages and back
// (agent/core/link_messages.h).
//
//   AppendLinkMessage(out, type, payload)        Push -> [LinkFramer] -> Next()
//
// Limits:    kMaxLinkMessageBytes; a longer or empty length is an error for good, nothing is
// allocated
//            for it. Holds at most one message and what was pushed behind it.
// Ownership: the view that Next() gives is valid until the next call.
// Threading: thread-compatible.
// Errors:    Next(): kInvalid, and again for ever: the peer is not what it should be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/core/link_messages.h"
#include "common/base/result.h"

namespace holdfast::agent {

struct LinkMessageView {
  LinkMessageType type;  // may be outside the enum: the receiver decides
  std::string_view payload;
};

void AppendLinkMessage(std::string& out, LinkMessageType type, std::string_view payload);
// The 5 bytes that precede a payload of this size: for writers that do not want to copy it.
std::string LinkMessageHeader(LinkMessageType type, std::size_t payload_bytes);

class LinkFramer {
 public:
  void Push(std::string_view bytes);
  Result<std::optional<LinkMessageView>> Next();
  bool empty() const { return at_ == buffer_.size(); }
  // Gives memory back when nothing is pending.
  void Shrink();

 private:
  std::string buffer_;
  std::size_t at_ = 0;  // start of the next message
  bool broken_ = false;
};

}  // namespace holdfast::agent
