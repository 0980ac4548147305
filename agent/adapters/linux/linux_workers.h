// LinuxWorkers: the Workers port with processes: `holdfast-agent worker`, one per command.
//
// A worker has its own session and process group and dies with warden. One that starts other programs
// runs below a keeper (agent/app/keeper_main.h), which ends them all when the worker ends or warden dies.
// Should the keeper itself be killed, what is left becomes warden's child (warden is a subreaper) and
// is killed until nothing is left. Only then is the worker gone.
//
// A spare is a worker that was started before there is a command for it, and has no authority until it
// reads one. The next command without children of its own then does not wait for a process to start,
// which takes 1.5 ms of the 5 ms of a short query.
//
//   Spawn Kill OnReadable OnChildEnded OnTick --> [LinuxWorkers] --> NextMessage TakeGone NextDeadline
//
// Limits:    one spare; one framer's buffer per worker; kKillPatience for what does not die of SIGKILL.
// Ownership: owns the workers' descriptors; borrows SelfExec.
// Threading: loop thread only.
// Errors:    Spawn(): kUnavailable. A worker that breaks its framing: NextMessage() says so.
// Design:    docs/decisions/0025-spare-worker.md
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "agent/adapters/linux/command_groups.h"
#include "agent/adapters/linux/self_exec.h"
#include "agent/adapters/linux/unique_fd.h"
#include "agent/core/worker_framer.h"
#include "agent/core/workers.h"

namespace holdfast::agent {

class LinuxWorkers final : public Workers {
 public:
  struct Worker {
    WorkerId id{0};
    pid_t pid = -1;
    UniqueFd output;  // closed at its end
    UniqueFd input;   // of one that takes input
    WorkerFramer framer;
    bool has_children = false;
    bool is_reaped = false;  // or given up
    bool is_killed = false;
    bool is_broken = false;
    WorkerEnd end;
    std::optional<TimePoint> give_up;             // on it, and on what it left behind
    std::unique_ptr<CommandGroups::Group> group;  // of one with children, where there are groups
  };

  // `groups`: null where there are none.
  LinuxWorkers(const SelfExec& self, std::string state_dir, CommandGroups* groups = nullptr)
      : self_(self), state_dir_(std::move(state_dir)), groups_(groups) {}

  Status Spawn(const WorkerStart& start) override;
  bool Input(WorkerId id, std::string_view frame) override;
  void Kill(WorkerId id) override;

  // Best effort: without one, Spawn() starts a process.
  void PrepareSpare();
  void DropSpare();

  // One read of what the worker wrote; the messages then come from its framer.
  void OnReadable(Worker& worker);
  // False: no worker of ours.
  bool OnChildEnded(pid_t pid, int wait_status, TimePoint now);
  void OnTick(TimePoint now);
  // Kills what ended workers left behind; call after children were reaped.
  void SweepOrphans(pid_t also_ours, TimePoint now);

  // A worker that ended, whose output is at its end and whose descendants are gone.
  std::optional<std::pair<WorkerId, WorkerEnd>> TakeGone();
  std::vector<std::unique_ptr<Worker>>& all() { return workers_; }
  std::optional<TimePoint> NextDeadline() const;

 private:
  struct Spare {
    pid_t pid = -1;
    UniqueFd request;  // it waits for a whole one
    UniqueFd answer;
  };

  Worker* Find(WorkerId id);
  bool GiveToSpare(std::string_view request, Worker& worker);

  const SelfExec& self_;
  const std::string state_dir_;
  CommandGroups* const groups_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<Spare> spare_;
  bool has_orphans_ = false;
  std::optional<TimePoint> sweep_at_;
};

}  // namespace holdfast::agent
