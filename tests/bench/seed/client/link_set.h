// LinkSet: thousands of WebSocket clients of one server, in one thread on one epoll.
//
//   Add --> Turn* --> delegate: OnOpened OnAnswer*;   Send, in any turn
//
// A connection that fails or ends is made again in the next turn, for as long as the set lives, and counted. What it
// was asked before is not asked again.
//
// Limits:    what the process may have open; kMaxReconnects in all, then Turn() gives up. Clients are
//            bound to 127.1.0.0/16, kLinksPerSource to an address.
// Ownership: owns its sockets; borrows the delegate.
// Threading: thread-compatible. Blocks in Turn() only.
// Errors:    Add(), Turn(): kExhausted: no descriptor left, or the server keeps none; kInternal else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/adapters/linux/unique_fd.h"
#include "common/base/result.h"
#include "tests/bench/seed/client/client_frames.h"

namespace holdfast::bench {

class LinkSetDelegate {
 public:
  virtual ~LinkSetDelegate() = default;
  virtual void OnOpened(std::size_t /*link*/) {}
  virtual void OnAnswer(std::size_t link, std::uint64_t c) = 0;  // also the greeting, c = 0
};

class LinkSet {
 public:
  struct Options {
    std::uint16_t port = 0;  // on 127.0.0.1
    std::uint32_t first_source =
        0;  // 127.1.x.y, counted from 127.1.0.1; several processes differ in it
    std::uint32_t own_every_s = 5;  // each client's own {"c":0}; 0: none
  };
  LinkSet(const Options& options, LinkSetDelegate& delegate);
  LinkSet(const LinkSet&) = delete;
  LinkSet& operator=(const LinkSet&) = delete;

  Status Add(std::size_t count);
  std::size_t size() const { return links_.size(); }
  std::size_t open() const { return open_; }
  std::uint64_t reconnects() const { return reconnects_; }
  std::uint64_t answers() const { return answers_; }
  std::uint64_t bad_answers() const { return bad_answers_; }

  // One frame, or frames one behind the other, in one send(). For a link that is not open nothing happens.
  void Send(std::size_t index, std::string_view frames);
  std::uint32_t NextMask();
  // Waits for what happens, timeout_ms at most, and handles it.
  Status Turn(int timeout_ms);

 private:
  enum class State : std::uint8_t { kClosed, kConnecting, kUpgrading, kOpen };
  struct Link {
    backend::UniqueFd fd;
    State state = State::kClosed;
    bool waits_for_room = false;
    bool was_open = false;
    std::string partial;  // received: an incomplete head or frame
    std::string unsent;
  };
  struct Own {
    std::int64_t due_us;
    std::size_t link;
  };

  Status Connect(std::size_t index);
  void Reconnect(std::size_t index);
  void OnReady(std::size_t index, std::uint32_t events);
  bool OnConnected(std::size_t index);
  void OnReadable(std::size_t index);
  // How much of `bytes` was whole; nullopt: the server said what it must not.
  std::optional<std::size_t> Take(std::size_t index, std::string_view bytes);
  bool OnFrame(std::size_t index, const ServerFrame& frame);
  void Flush(std::size_t index);
  void Watch(std::size_t index, bool for_room);
  void SendOwn();

  const Options options_;
  LinkSetDelegate& delegate_;
  backend::UniqueFd epoll_;
  std::vector<Link> links_;
  std::vector<std::size_t> to_connect_;  // again, in the next turn
  std::deque<Own> own_;  // in the order in which they are due: all wait equally long
  std::vector<char> buffer_;
  std::size_t open_ = 0;
  std::uint64_t reconnects_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t bad_answers_ = 0;
  std::uint32_t mask_ = 0x9E3779B9;  // any but 0
  Status failure_ = Ok();
};

std::int64_t MonotonicUs();

}  // namespace holdfast::bench
