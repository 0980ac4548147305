// WardenPipe: link's end of the socketpair to warden, as messages.
//
// Reads when asked, one message at a time, so that nothing is taken from warden that cannot be passed
// on. Writes block: warden never waits for link (it queues), so a write ends unless warden hangs.
//
// Limits:    kMaxLinkMessageBytes per message; a write without progress for kWriteTimeout fails.
// Ownership: borrows the descriptor.
// Threading: loop thread only.
// Errors:    kUnavailable: warden is gone, which is nobody's fault. kExpired: it hangs. kInvalid: what
//            came is not of our protocol. All are the end of this process; a warden starts another.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/core/link_framer.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::agent {

// Longer than any fsync that warden may be in; the server would have dropped the link by then.
inline constexpr Duration kWriteTimeout = std::chrono::seconds(60);

class WardenPipe {
 public:
  explicit WardenPipe(int fd) : fd_(fd) {}

  // The next whole message. Reads at most once from the descriptor; nullopt when there is none yet.
  // The view is valid until the next call.
  Result<std::optional<LinkMessageView>> Read();
  // The same, waiting for it: only for the first message.
  Result<LinkMessageView> ReadFirst();
  Status Write(LinkMessageType type, std::string_view payload);
  // Gives read buffers back after a large message.
  void Shrink() { framer_.Shrink(); }

 private:
  // False: nothing to read now.
  Result<bool> Fill(int flags);

  const int fd_;
  LinkFramer framer_;
};

}  // namespace holdfast::agent
