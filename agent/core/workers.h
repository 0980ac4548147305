// Workers: the port through which warden starts and ends the processes that do the work.
//
// A port: agent/adapters/linux implements it with fork and exec of this program, tests/support/
// fake_workers.h by script. Calls return at once and never call back; what workers write and that
// they are gone arrives through Warden::OnWorkerMessage() and Warden::OnWorkerGone().
//
// Ordering:  OnWorkerGone is the last word about a worker, and comes only when every process that
// it
//            started is gone too.
// Limits:    kMaxRunningWorkers, kept by the caller.
// Threading: loop thread only.
// Errors:    Spawn(): kUnavailable (no process, no memory); nothing runs and nothing will be
// reported.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/strong.h"
#include "common/base/time.h"

namespace holdfast::agent {

using WorkerId = Strong<struct WorkerIdTag, std::uint32_t>;  // of this run of warden, never reused

struct WorkerStart {
  WorkerId id{0};
  std::string command;    // serialized holdfast.command.v1.Command, as signed
  std::string blob_path;  // empty if the verb needs none
  // Limits to start it under, of the process and of each of its children. A worker that was started
  // ahead of its command sets its own, from the same signed command, before it does anything else.
  Duration cpu{0};
  std::uint64_t mem_bytes = 0;  // with children: of all of them together, too
  std::uint32_t processes = 0;  // at once, with children
  bool takes_input = false;     // Input() may follow
  bool has_children = false;    // the verb starts other programs: look for what it leaves behind
};

// How the worker's own process ended.
struct WorkerEnd {
  int exit_status = 0;         // if it exited
  int signal = 0;              // if a signal ended it, else 0
  bool cpu_limit = false;      // that signal was the CPU limit's
  bool memory_limit = false;   // all its processes together had more than they may
  bool process_limit = false;  // there were more of them
};

class Workers {
 public:
  virtual ~Workers() = default;
  virtual Status Spawn(const WorkerStart& start) = 0;
  // One frame of what was typed, whole or not at all; false: it has no room now. Of a worker that takes_input.
  virtual bool Input(WorkerId id, std::string_view frame) = 0;
  // Ends the worker and all its descendants; OnWorkerGone() follows.
  virtual void Kill(WorkerId id) = 0;
};

}  // namespace holdfast::agent
