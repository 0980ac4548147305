// StreamRoom: how much of what control added to a gateway's stream its gateway has not read yet.
//
// Control numbers the bytes that it adds (ToGateway.sent_bytes), the gateway says how far it is
// (GatewayUp.handled_bytes). Blobs wait while there is no room: Redis holds every stream in memory, and when it is
// full it refuses what would empty it, too. Everything else is small and is not held up.
//
//   OnSend OnHandled OnGone --> [StreamRoom] --> HasRoom
//
// Limits:    kMaxUnreadBytes a gateway and one turn's more (Blobs::Options::turn_bytes). Bytes that no word of the
//            gateway covers for kPatience count as lost: Redis may have forgotten them.
// Threading: thread-compatible.
// Design:    docs/decisions/0023-credit.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "common/base/time.h"

namespace holdfast::backend {

class StreamRoom {
 public:
  // Four times what a gateway reads before it says so: it never waits for our answer to that.
  static constexpr std::size_t kMaxUnreadBytes = std::size_t{16} * 1024 * 1024;
  static constexpr Duration kPatience = std::chrono::seconds(10);  // when agents ask again

  // The number of the entry's last byte.
  std::uint64_t OnSend(const std::string& gateway, std::size_t bytes, TimePoint now);
  void OnHandled(const std::string& gateway, std::uint64_t handled_bytes, TimePoint now);
  void OnGone(const std::string& gateway) { gateways_.erase(gateway); }
  bool HasRoom(const std::string& gateway, TimePoint now);

 private:
  struct Unread {
    std::uint64_t sent = 0;
    std::uint64_t handled = 0;  // or lost
    TimePoint moved{};          // when something was handled, or the first was sent after all was
  };
  std::map<std::string, Unread> gateways_;
};

}  // namespace holdfast::backend
