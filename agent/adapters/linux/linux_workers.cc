#include "agent/adapters/linux/linux_workers.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/adapters/linux/os_error.h"
#include "agent/adapters/linux/proc_tree.h"
#include "agent/adapters/linux/tree_limits.h"
#include "agent/core/limits.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

// Two full messages: the worker fills one while warden reads the other.
constexpr int kPipeBytes = 512 * 1024;
// Above the largest request: a command of 60 KiB and two paths (agent/verbs/worker_request.h).
constexpr int kRequestPipeBytes = 128 * 1024;
// Between two looks at what ended workers left behind.
constexpr Duration kSweepEvery = std::chrono::milliseconds(50);

void AppendField(std::string& out, std::string_view bytes) {
  AppendLittle(out, bytes.size(), 4);
  out.append(bytes);
}

std::string RequestBytes(const WorkerStart& start, std::string_view state_dir) {
  std::string request;
  request.reserve(start.command.size() + state_dir.size() + start.blob_path.size() + 12);
  AppendField(request, start.command);
  AppendField(request, state_dir);
  AppendField(request, start.blob_path);
  return request;
}

// In memory, so that neither side ever waits for the other.
Result<UniqueFd> RequestFile(std::string_view request) {
  UniqueFd file(::memfd_create("request", MFD_CLOEXEC));
  if (!file.is_open()) return OsError("memfd_create", errno);
  const auto written = ::write(file.get(), request.data(), request.size());
  if (written != static_cast<ssize_t>(request.size()) || ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return OsError("writing a request", errno);
  }
  return file;
}

struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};

Result<Pipe> MakePipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return OsError("pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The request, and behind it whatever comes while the worker runs. It holds any request whole.
Result<UniqueFd> RequestPipe(std::string_view request, UniqueFd& input) {
  HF_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  ::fcntl(pipe.writer.get(), F_SETPIPE_SZ, kRequestPipeBytes);
  ::fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK);
  const auto written = ::write(pipe.writer.get(), request.data(), request.size());
  if (written != static_cast<ssize_t>(request.size())) return OsError("writing a request", errno);
  input = std::move(pipe.writer);
  return std::move(pipe.reader);
}

// What all its processes did together, as keeper or kernel saw it.
void TakeExcess(LinuxWorkers::Worker& worker) {
  const bool killed = worker.is_killed;  // by warden, which knows why
  worker.end.memory_limit =
      worker.end.exit_status == kOverMemoryStatus ||
      (!killed && worker.group != nullptr && worker.group->ran_out_of_memory());
  worker.end.process_limit = worker.end.exit_status == kOverProcessesStatus;
}

// What a worker writes its answer into.
Result<Pipe> AnswerPipe() {
  HF_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  // Best effort: a smaller pipe only costs switches.
  ::fcntl(pipe.reader.get(), F_SETPIPE_SZ, kPipeBytes);
  ::fcntl(pipe.reader.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

}  // namespace

Status LinuxWorkers::Spawn(const WorkerStart& start) {
  const std::string request = RequestBytes(start, state_dir_);
  auto worker = std::make_unique<Worker>();
  worker->id = start.id;
  worker->has_children = start.has_children;
  if (start.has_children || !GiveToSpare(request, *worker)) {
    HF_ASSIGN_OR_RETURN(UniqueFd file, start.takes_input ? RequestPipe(request, worker->input)
                                                         : RequestFile(request));
    HF_ASSIGN_OR_RETURN(Pipe answer, AnswerPipe());
    ChildPlan plan;
    plan.subcommand = start.has_children ? "keeper" : "worker";
    plan.fds = {file.get(), answer.writer.get(), -1, -1};
    plan.data_bytes = start.mem_bytes;
    plan.cpu = start.cpu;
    plan.is_subreaper = start.has_children;
    const TreeLimits limits{start.mem_bytes, start.processes};
    const std::string argument = TreeLimitsText(limits);
    UniqueFd door;
    if (start.has_children) {
      plan.argument = argument.c_str();
      if (groups_ != nullptr) worker->group = groups_->Make(start.id.get(), limits);
      if (worker->group != nullptr) door = worker->group->OpenDoor();
      plan.group_door = door.get();
    }
    HF_ASSIGN_OR_RETURN(worker->pid, self_.Start(plan));
    worker->output = std::move(answer.reader);
  }
  workers_.push_back(std::move(worker));
  return Ok();
}

void LinuxWorkers::PrepareSpare() {
  if (spare_) return;
  auto request = MakePipe();
  auto answer = AnswerPipe();
  if (!request.ok() || !answer.ok()) return;
  // It must take any request whole: warden never waits for a worker.
  ::fcntl(request.value().writer.get(), F_SETPIPE_SZ, kRequestPipeBytes);
  ::fcntl(request.value().writer.get(), F_SETFL, O_NONBLOCK);
  ChildPlan plan;
  plan.subcommand = "worker";
  plan.fds = {request.value().reader.get(), answer.value().writer.get(), -1, -1};
  const auto pid = self_.Start(plan);
  if (!pid.ok()) return;
  spare_ = Spare{pid.value(), std::move(request.value().writer), std::move(answer.value().reader)};
}

void LinuxWorkers::DropSpare() {
  if (!spare_) return;
  ::kill(spare_->pid, SIGKILL);
  spare_.reset();
}

// False: there is none, or it did not take the request; nothing has begun then.
bool LinuxWorkers::GiveToSpare(std::string_view request, Worker& worker) {
  if (!spare_) return false;
  const auto written = ::write(spare_->request.get(), request.data(), request.size());
  if (written != static_cast<ssize_t>(request.size())) {
    DropSpare();  // killed before it has read a whole request
    return false;
  }
  worker.pid = spare_->pid;
  worker.output = std::move(spare_->answer);
  spare_.reset();
  return true;
}

bool LinuxWorkers::Input(WorkerId id, std::string_view frame) {
  Worker* worker = Find(id);
  if (worker == nullptr || !worker->input.is_open() || frame.size() > kMaxInputFrameBytes) {
    return false;
  }
  // SIGPIPE of one that has just ended is ignored by this process (main).
  return ::write(worker->input.get(), frame.data(), frame.size()) ==
         static_cast<ssize_t>(frame.size());
}

void LinuxWorkers::Kill(WorkerId id) {
  Worker* worker = Find(id);
  if (worker == nullptr || worker->is_reaped) return;
  if (worker->has_children) {
    // Stopped first: it must not start more while its tree is read.
    ::kill(worker->pid, SIGSTOP);
    EndTree(worker->pid);  // what it misses is an orphan soon, and swept
  }
  if (worker->group != nullptr) worker->group->Kill();
  ::kill(-worker->pid, SIGKILL);
  ::kill(worker->pid, SIGKILL);
  worker->is_killed = true;
}

void LinuxWorkers::OnReadable(Worker& worker) {
  std::size_t room = 0;
  char* space = worker.framer.Space(room);
  const auto got = ::read(worker.output.get(), space, room);
  if (got > 0) {
    worker.framer.OnRead(static_cast<std::size_t>(got));
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    worker.output.Reset();
  }
}

bool LinuxWorkers::OnChildEnded(pid_t pid, int wait_status, TimePoint now) {
  if (spare_ && spare_->pid == pid) {
    spare_.reset();
    return true;
  }
  for (const auto& worker : workers_) {
    if (worker->pid != pid || worker->is_reaped) continue;
    worker->is_reaped = true;
    if (WIFEXITED(wait_status)) worker->end.exit_status = WEXITSTATUS(wait_status);
    if (worker->has_children) TakeExcess(*worker);
    if (WIFSIGNALED(wait_status)) {
      worker->end.signal = WTERMSIG(wait_status);
      worker->end.cpu_limit = worker->end.signal == SIGXCPU;
    }
    // A keeper that ended by itself has left nothing: it waits for nobody's orphans, which may be there for ever.
    worker->has_children = worker->has_children && worker->end.signal != 0;
    if (worker->has_children) {
      has_orphans_ = true;  // until a sweep has found none
      worker->give_up = now + kKillPatience;
    }
    return true;
  }
  return false;
}

void LinuxWorkers::SweepOrphans(pid_t also_ours, TimePoint now) {
  if (!has_orphans_) return;
  bool found = false;
  for (const pid_t pid : ChildrenOf(::getpid())) {
    const bool is_known = pid == also_ours || (spare_ && spare_->pid == pid) ||
                          std::any_of(workers_.begin(), workers_.end(), [&](const auto& worker) {
                            return worker->pid == pid && !worker->is_reaped;
                          });
    if (is_known) continue;
    found = true;
    ::kill(pid, SIGSTOP);
    EndTree(pid);
    ::kill(pid, SIGKILL);
  }
  has_orphans_ = found;
  sweep_at_.reset();
  if (found) sweep_at_ = now + kSweepEvery;
}

void LinuxWorkers::OnTick(TimePoint now) {
  for (const auto& worker : workers_) {
    if (worker->is_killed && !worker->give_up) worker->give_up = now + kKillPatience;
    if (worker->give_up && now >= *worker->give_up) {
      worker->has_children = false;  // reported as gone; what is left is stuck in the kernel
      if (!worker->is_reaped) {
        worker->is_reaped = true;
        worker->end.signal = SIGKILL;
      }
      worker->output.Reset();
    }
  }
}

std::optional<std::pair<WorkerId, WorkerEnd>> LinuxWorkers::TakeGone() {
  const auto gone = std::find_if(workers_.begin(), workers_.end(), [&](const auto& worker) {
    return worker->is_reaped && !worker->output.is_open() && !worker->framer.has_message() &&
           !(worker->has_children && has_orphans_);
  });
  if (gone == workers_.end()) return std::nullopt;
  const std::pair out((*gone)->id, (*gone)->end);
  workers_.erase(gone);
  return out;
}

std::optional<TimePoint> LinuxWorkers::NextDeadline() const {
  std::optional<TimePoint> soonest = sweep_at_;
  for (const auto& worker : workers_) {
    if (worker->is_reaped || !worker->is_killed) continue;
    const TimePoint due = worker->give_up.value_or(TimePoint());  // OnTick() has yet to set it
    if (!soonest || due < *soonest) soonest = due;
  }
  return soonest;
}

LinuxWorkers::Worker* LinuxWorkers::Find(WorkerId id) {
  for (const auto& worker : workers_) {
    if (worker->id == id) return worker.get();
  }
  return nullptr;
}

}  // namespace holdfast::agent
