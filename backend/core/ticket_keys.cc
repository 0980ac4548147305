#include "backend/core/ticket_keys.h"

#include <algorithm>
#include <utility>

namespace holdfast::backend {
namespace {

constexpr std::size_t kKeyBytes =
    sizeof(TicketKey::name) + sizeof(TicketKey::cipher) + sizeof(TicketKey::mac);

void AppendKey(std::string& out, const TicketKey& key) {
  out.append(key.name.begin(), key.name.end());
  out.append(key.cipher.begin(), key.cipher.end());
  out.append(key.mac.begin(), key.mac.end());
}

TicketKey TakeKey(std::string_view& bytes) {
  TicketKey key;
  const auto take = [&bytes](auto& part) {
    std::copy_n(bytes.begin(), part.size(), part.begin());
    bytes.remove_prefix(part.size());
  };
  take(key.name);
  take(key.cipher);
  take(key.mac);
  return key;
}

}  // namespace

bool TicketKeys::OnTime(TimePoint now) {
  if (since_ && now - *since_ < kPeriod) return false;
  // After a longer pause every ticket under the last key is too old.
  const bool still_opens = since_ && now - *since_ < kPeriod + kTicketLife;
  pair_.previous = still_opens ? std::optional(pair_.current) : std::nullopt;
  pair_.current = NewKey();
  since_ = now;
  return true;
}

TicketKey TicketKeys::NewKey() const {
  TicketKey key;
  random_(key.name);
  random_(key.cipher);
  random_(key.mac);
  return key;
}

std::string EncodeTicketKeys(const TicketKeyPair& pair) {
  std::string out;
  AppendKey(out, pair.current);
  if (pair.previous) AppendKey(out, *pair.previous);
  return out;
}

std::optional<TicketKeyPair> DecodeTicketKeys(std::string_view bytes) {
  if (bytes.size() != kKeyBytes && bytes.size() != 2 * kKeyBytes) return std::nullopt;
  TicketKeyPair pair;
  pair.current = TakeKey(bytes);
  if (!bytes.empty()) pair.previous = TakeKey(bytes);
  return pair;
}

}  // namespace holdfast::backend
