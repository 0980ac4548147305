// Fleet: N simulated agents in as many processes as they need.
//
// Starts the processes, says how many agents each is to have up by now (ramp), shows what all of them count,
// and ends them in an orderly way. They end with this process, however it ends.
//
//   Start --> Turn* --> End --> Outcome       progress on stderr; orders on stdin if it is steered
//
// Limits:    FleetOptions; kMaxAgents.
// Ownership: owns its processes; borrows the options.
// Threading: one thread, before any other is made: it forks.
// Errors:    Start(): the bundle does not verify; a process could not start. Turn(): one ended by itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "backend/fleet/fleet_options.h"
#include "backend/fleet/report.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::fleet {

struct FleetRun {
  Report report;
  bool all_were_online = false;  // all at once; of a mix: all have dialled
};

class Fleet {
 public:
  static Result<std::unique_ptr<Fleet>> Start(const FleetOptions& options);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  Status Turn();  // takes some 10 ms
  Status End();
  std::uint64_t online() const { return online_; }
  bool is_over() const;  // its time is over, or its orders
  FleetRun Outcome() const;

 private:
  struct Source {
    ::holdfast::command::v1::Bundle bundle;
    std::optional<Nonce32> seed;
  };
  // One process, as its starter sees it.
  struct Child {
    pid_t pid = 0;
    int wake_fd = -1;  // closed: it is to end
    FigurePage* page = nullptr;
    std::uint32_t agents = 0;
  };

  explicit Fleet(const FleetOptions& options);
  static Result<Source> Load(const FleetOptions& options);
  Status StartOne(std::uint32_t first, std::uint32_t agents);
  [[noreturn]] void BeChild(std::uint32_t first, std::uint32_t agents, int wake_fd,
                            FigurePage& page) const;
  Status Look();
  void Want(TimePoint now);
  void Hear();
  void Obey(std::string_view line);
  void Print(TimePoint now);
  std::uint64_t Sum(Figure figure) const;

  const FleetOptions& options_;
  const bool is_terminal_;
  Source source_;
  std::vector<Child> children_;
  std::uint64_t limit_;       // agents that may be up, whatever the ramp says
  std::uint64_t wanted_ = 0;  // what the processes were told, summed
  std::uint64_t online_ = 0;
  std::uint64_t online_max_ = 0;
  std::uint64_t all_online_ms_ = 0;
  TimePoint started_{};  // zero: not all processes have their keys yet
  TimePoint shown_{};
  std::uint64_t shown_welcomes_ = 0;
  std::uint64_t shown_beats_ = 0;
  std::string order_;  // a line of stdin that has no end yet
  bool stdin_ended_ = false;
};

// Until it is over, or SIGINT or SIGTERM came.
Result<FleetRun> RunFleet(const FleetOptions& options);

}  // namespace holdfast::fleet
