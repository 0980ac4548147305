// SourceAdmission: how many sockets of one address may be in their handshake at once.
//
// A socket above its source's bound waits: one office behind one address comes back after an outage as fast
// as its share allows, and nobody who opens sockets and says nothing takes more than that share. Tickets
// stand for sockets, owners for the gateways that have them.
//
//   Ask --> kGo | kWait | kRefuse     Started Done OwnerGone SetLimit --> NextReady     NextExpired
//
// Ordering:  sockets of one source are served in the order they came; sources with room take turns.
// Limits:    `limit` in handshakes per source; max_waiting sockets in all, a quarter of them of one source, then new ones are refused; who has
//            waited for `patience` comes out of NextExpired(): its peer has given up as well.
// Threading: thread-compatible.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/base/time.h"

namespace holdfast::backend {

class SourceAdmission {
 public:
  using Ticket = std::uint64_t;
  using Owner = const void*;  // compared only
  enum class Verdict : std::uint8_t { kGo, kWait, kRefuse };
  struct Waiter {
    Ticket ticket;
    std::string source;
  };
  static constexpr Duration kPatience = std::chrono::seconds(10);  // as agents give TLS

  // limit 0: no bound.
  SourceAdmission(std::uint32_t limit, std::size_t max_waiting)
      : limit_(limit), max_waiting_(max_waiting) {}

  // A new socket. kGo takes no place yet: Started() does. kWait keeps the ticket.
  Verdict Ask(const std::string& source, Ticket ticket, TimePoint now);
  void Started(Owner owner, const std::string& source);
  void Done(Owner owner, const std::string& source);
  void OwnerGone(Owner owner);
  void SetLimit(std::uint32_t limit);

  // A socket whose turn has come; it is forgotten here, and Started() is expected.
  std::optional<Waiter> NextReady();
  std::optional<Ticket> NextExpired(TimePoint now);

  std::size_t waiting() const { return waiting_; }
  std::size_t max_waiting() const { return max_waiting_; }
  std::size_t sources() const { return sources_.size(); }

 private:
  struct Source {
    std::uint32_t in_flight = 0;
    bool is_listed = false;  // in ready_
    std::deque<std::pair<Ticket, TimePoint>> waiting;
  };
  // Nobody fills the room for all.
  std::size_t max_waiting_of_one() const { return std::max<std::size_t>(1, max_waiting_ / 4); }
  bool HasRoom(const Source& source) const { return limit_ == 0 || source.in_flight < limit_; }
  void List(const std::string& name, Source& source);
  void Release(const std::string& name, std::uint32_t count);
  void Forget(const std::string& name);

  std::uint32_t limit_;
  const std::size_t max_waiting_;
  std::size_t waiting_ = 0;
  std::map<std::string, Source> sources_;  // those with anything in flight or waiting
  std::deque<std::string> ready_;          // may have room and have somebody waiting
  std::unordered_map<Owner, std::map<std::string, std::uint32_t>> owners_;
};

}  // namespace holdfast::backend
