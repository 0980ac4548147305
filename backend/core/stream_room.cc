#include "backend/core/stream_room.h"

#include <algorithm>

namespace holdfast::backend {

std::uint64_t StreamRoom::OnSend(const std::string& gateway, std::size_t bytes, TimePoint now) {
  Unread& unread = gateways_[gateway];
  if (unread.sent == unread.handled) unread.moved = now;
  return unread.sent += bytes;
}

void StreamRoom::OnHandled(const std::string& gateway, std::uint64_t handled_bytes, TimePoint now) {
  const auto found = gateways_.find(gateway);
  if (found == gateways_.end()) return;
  Unread& unread = found->second;
  const std::uint64_t handled = std::min(handled_bytes, unread.sent);
  if (handled <= unread.handled) return;  // it reads its stream again
  unread.handled = handled;
  unread.moved = now;
}

bool StreamRoom::HasRoom(const std::string& gateway, TimePoint now) {
  const auto found = gateways_.find(gateway);
  if (found == gateways_.end()) return true;
  Unread& unread = found->second;
  if (unread.sent - unread.handled < kMaxUnreadBytes) return true;
  if (now - unread.moved < kPatience) return false;
  unread.handled = unread.sent;
  return true;
}

}  // namespace holdfast::backend
