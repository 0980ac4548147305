// TicketKeys: what TLS session tickets are sealed with, the same at all gateways of one host.
//
// The supervisor makes and renews them, and hands them to each gateway before its first socket: a ticket of one
// gateway is good at any other, also at one that was started later. They live in memory alone; a host that
// starts again has others, and so has each host of several.
//
//   OnTime() -> true: new ones, Encode() goes to the gateways        gateway: Decode() -> current, previous
//
// Ordering:  OnTime() with times that do not go back.
// Limits:    a key seals for kPeriod and opens for kTicketLife longer: that long a ticket is good, and so long, at
//            most, is a server's certificate trusted that would no longer be.
// Threading: thread-compatible; a value.
// Errors:    Decode: nullopt for bytes that are none of ours.
// Design:    docs/decisions/0142-resumption.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/time.h"

namespace holdfast::backend {

struct TicketKey {
  std::array<std::uint8_t, 16> name{};    // in the clear before each ticket
  std::array<std::uint8_t, 32> cipher{};  // AES-256
  std::array<std::uint8_t, 32> mac{};     // HMAC-SHA-256
  bool operator==(const TicketKey&) const = default;
};

struct TicketKeyPair {
  TicketKey current;                  // seals and opens
  std::optional<TicketKey> previous;  // opens
  bool operator==(const TicketKeyPair&) const = default;
};

inline constexpr Duration kTicketLife = std::chrono::hours(4);

class TicketKeys {
 public:
  static constexpr Duration kPeriod = kTicketLife;  // so that one previous key is enough
  using Random = std::function<void(std::span<std::uint8_t>)>;

  explicit TicketKeys(Random random) : random_(std::move(random)) {}

  // True: they are new, also the first time.
  bool OnTime(TimePoint now);
  // Once OnTime() was called.
  const TicketKeyPair& pair() const { return pair_; }

 private:
  TicketKey NewKey() const;

  Random random_;
  TicketKeyPair pair_;
  std::optional<TimePoint> since_;  // of pair_.current
};

std::string EncodeTicketKeys(const TicketKeyPair& pair);
std::optional<TicketKeyPair> DecodeTicketKeys(std::string_view bytes);

}  // namespace holdfast::backend
