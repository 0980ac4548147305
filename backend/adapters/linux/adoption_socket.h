// AdoptionSocket: where a process whose supervisor is gone finds the next one.
//
//   orphan: SeekSupervisor() --> [datagram, 4 descriptors] --> delegate: OnOrphan       its channel is a WorkerChannel again
//
// A Unix datagram socket in the run directory. One datagram says everything, so nothing is ever half known of an orphan.
//
// Ordering:  SeekSupervisor() says only that somebody listens. A supervisor that ends before it has read closes the
//            channel with that, and the orphan seeks again.
// Limits:    kMaxIntroductionBytes a datagram; as many datagrams wait as net.unix.max_dgram_qlen allows, then seeking fails for now.
// Ownership: owns its socket; borrows loop and delegate.
// Threading: loop thread only.
// Errors:    Open(): kInternal, names the path. SeekSupervisor(): kUnavailable: nobody listens there now.
// Design:    docs/decisions/0155-links-outlive-a-supervisor.md
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <ev.h>

#include "backend/adapters/linux/unique_fd.h"
#include "backend/core/introduction.h"
#include "common/base/result.h"

namespace holdfast::backend {

struct Orphan {
  Introduction introduction;
  UniqueFd channel;   // the supervisor's end
  UniqueFd counters;  // CountersPage
  UniqueFd process;   // a pidfd: readable when it has ended
  UniqueFd config;    // the text of the configuration that it runs on, a MemoryFile()
};

class AdoptionDelegate {
 public:
  virtual ~AdoptionDelegate() = default;
  virtual void OnOrphan(Orphan orphan) = 0;
};

class AdoptionSocket {
 public:
  static Result<std::unique_ptr<AdoptionSocket>> Open(struct ev_loop* loop, const std::string& path,
                                                      AdoptionDelegate& delegate);
  ~AdoptionSocket();
  AdoptionSocket(const AdoptionSocket&) = delete;
  AdoptionSocket& operator=(const AdoptionSocket&) = delete;

 private:
  AdoptionSocket(struct ev_loop* loop, UniqueFd fd, AdoptionDelegate& delegate);
  void ReceiveOne();

  struct ev_loop* const loop_;
  UniqueFd fd_;
  AdoptionDelegate& delegate_;
  ev_io io_{};
};

// The orphan's half: itself, introduced at `path`. Its new end of the channel.
Result<UniqueFd> SeekSupervisor(const std::string& path, const Introduction& introduction,
                                int counters, std::string_view config);

}  // namespace holdfast::backend
