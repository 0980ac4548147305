// ScannerProcess: holdfast-agent-yara, started for one scan and talked to over a socket of records.
//
//   Find() -> Start(rules) -> Look(...)*    after kDied or kTime of a whole scanner: Start() again
//   Find() -> StartWithoutRules() -> Describe(...)*
//
// The program lies beside the agent's own, or in /usr/libexec/holdfast. It must belong to root or to the agent's user, and
// nobody else may write to it or to its directory; what was checked is what is started, by its descriptor. It
// runs as nobody where the agent is root, without new rights, under the worker's limits and pace, and
// ends with the worker. Only the first one that is started has the burst of a pace.
//
// Limits:    a record is kMaxScanRecordBytes; its answers are checked like everything that a stranger says.
// Ownership: owns the process and the socket.
// Threading: one thread.
// Errors:    Find(): kNotFound, kDenied. Start(): kInvalid, the rules and why; kUnavailable.
// Design:    docs/decisions/0128-yara-beside-the-agent.md
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/core/scan_messages.h"
#include "agent/tables/machine.h"
#include "agent/verbs/pace.h"
#include "agent/verbs/process_memory.h"
#include "common/base/result.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

class ScannerProcess {
 public:
  // What Look() came to: what the scanner said, or that it did not get there.
  enum class Seen : std::uint8_t { kWhole, kTime, kRows, kFailed, kDied, kStopped };
  struct Bounds {
    std::chrono::milliseconds time{0};
    std::uint32_t rows = 0;
    // From the end of the time to giving up on it: the scanner looks at its clock now and then only.
    std::chrono::milliseconds grace{3000};
  };
  // False: no more is wanted; Look() ends with kStopped.
  using OnHit = std::function<bool(command::v1::Row&)>;

  explicit ScannerProcess(const PacePlan& pace = {}) : pace_(pace) {}
  ~ScannerProcess() { End(); }
  ScannerProcess(const ScannerProcess&) = delete;
  ScannerProcess& operator=(const ScannerProcess&) = delete;

  // Where the module may lie.
  static std::vector<std::string> Places();
  Status Find(const std::vector<std::string>& places);
  Result<std::uint32_t> Start(int rules_fd);  // how many rules
  Status StartWithoutRules();
  Seen LookAtFile(int fd, const Bounds& bounds, const OnHit& on_hit);
  Seen LookAtMemory(int fd, std::span<const MemoryRun> runs, const Bounds& bounds,
                    const OnHit& on_hit);
  // What libmagic calls it, in hostile words. kCancelled: not in time; kUnavailable: the scanner is gone: both end it.
  Result<FileKind> Describe(int fd, std::chrono::milliseconds time);
  const std::string& why() const { return why_; }  // of kFailed; hostile
  bool is_running() const { return pid_ > 0; }
  void End();

 private:
  bool Send(ScanMessage type, std::string_view payload, int fd) const;
  // The next record; empty: none came in time, or the scanner is gone.
  std::string Receive(std::chrono::steady_clock::time_point until) const;
  Seen Look(ScanMessage type, int fd, const Bounds& bounds, const OnHit& on_hit);

  PacePlan pace_;
  UniqueFd program_;
  UniqueFd socket_;
  pid_t pid_ = 0;
  std::string why_;
};

// A record kHit; false: it is none.
bool ParseHit(std::string_view payload, command::v1::Row& row);

}  // namespace holdfast::agent
