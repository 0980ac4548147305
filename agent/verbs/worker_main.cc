#include "agent/verbs/worker_main.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/verbs/footprint.h"
#include "agent/verbs/pace.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"
#include "agent/verbs/worker_channel.h"
#include "agent/verbs/worker_request.h"
#include "common/base/log_line.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr int kRequestFd = 0;
constexpr int kAnswerFd = 1;
constexpr int kCannotConfine = 126;  // as a shell has it: could not be run
// More than the default 64 KiB lets warden and worker run side by side; what anyone may ask for.
constexpr int kPipeBytes = 1 << 20;

// Prepared before a verb runs, for the moments when nothing may be allocated. One worker process
// runs one command, so one of these exists; signal and new handlers can reach nothing but a global.
struct LastWords {
  WorkerChannel* channel = nullptr;
  std::string out_of_memory;
  std::string out_of_cpu;
};
LastWords g_last_words;

std::string LimitExit(pb::CommandFailure failure, std::string_view message) {
  return Failed(failure, message).SerializeAsString();
}

void PrepareLastWords(WorkerChannel& channel, const WorkerLimits& limits) {
  g_last_words.channel = &channel;
  g_last_words.out_of_memory =
      LimitExit(pb::COMMAND_FAILURE_MEMORY_LIMIT,
                "more than " + std::to_string(limits.mem_bytes) + " bytes of memory");
  g_last_words.out_of_cpu =
      LimitExit(pb::COMMAND_FAILURE_CPU_LIMIT,
                "more than " + std::to_string(limits.cpu_ms) + " ms of CPU time");
  std::set_new_handler([] { g_last_words.channel->AbortNow(g_last_words.out_of_memory); });
  struct sigaction action = {};
  action.sa_handler = [](int) { g_last_words.channel->AbortNow(g_last_words.out_of_cpu); };
  sigemptyset(&action.sa_mask);
  (void)sigaction(SIGXCPU, &action, nullptr);
}

bool SetLimit(__rlimit_resource what, std::uint64_t soft, std::uint64_t hard) {
  rlimit now = {};
  if (getrlimit(what, &now) != 0) return false;
  now.rlim_max = std::min<rlim_t>(now.rlim_max, hard);
  now.rlim_cur = std::min<rlim_t>(now.rlim_max, soft);
  return setrlimit(what, &now) == 0;
}

// The one place where a verb's authority is cut down. What exec starts inherits what is set here,
// so for exec and run it stays at limits that every program is used to. False: it must not run.
bool Confine(const pb::Command& command, const WorkerLimits& limits) {
  const std::uint64_t cpu_s = (limits.cpu_ms + 999) / 1000;  // the kernel counts whole seconds
  if (!SetLimit(RLIMIT_CORE, 0, 0)) return false;            // a core file would hold evidence
  if (command.has_exec() || command.has_run() || command.has_pty())
    return true;  // the child gets its own limits
  return SetLimit(RLIMIT_CPU, cpu_s, cpu_s + 1) &&
         SetLimit(RLIMIT_DATA, limits.mem_bytes, limits.mem_bytes) &&
         prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// What warden had open is none of a worker's business, and less of what it runs.
void CloseInherited() {
  constexpr unsigned kFirst = 3;
  if (syscall(SYS_close_range, kFirst, ~0U, 0) == 0) return;
  for (int fd = kFirst; fd < 1024; ++fd) (void)close(fd);  // a kernel before 5.9
}

pb::Result Dispatch(VerbRun& run) {
  const pb::Command& command = run.command;
  switch (command.verb_case()) {
    case pb::Command::kQuery: return RunQuery(command.query(), run);
    case pb::Command::kLs: return RunLs(command.ls(), run);
    case pb::Command::kStat: return RunStat(command.stat(), run);
    case pb::Command::kCat: return RunCat(command.cat(), run);
    case pb::Command::kHash: return RunHash(command.hash(), run);
    case pb::Command::kGet: return RunGet(command.get(), run);
    case pb::Command::kPut: return RunPut(command.put(), run);
    case pb::Command::kExec: return RunExec(command.exec(), run);
    case pb::Command::kPs: return RunPs(command.ps(), run);
    case pb::Command::kKill: return RunKill(command.kill(), run);
    case pb::Command::kFind: return RunFind(command.find(), run);
    case pb::Command::kMkdir: return RunMkdir(command.mkdir(), run);
    case pb::Command::kCp: return RunCp(command.cp(), run);
    case pb::Command::kMv: return RunMv(command.mv(), run);
    case pb::Command::kRm: return RunRm(command.rm(), run);
    case pb::Command::kTail: return RunTail(command.tail(), run);
    case pb::Command::kArchive: return RunArchive(command.archive(), run);
    case pb::Command::kRun: return RunRun(command.run(), run);
    case pb::Command::kCollect: return RunCollect(command.collect(), run);
    case pb::Command::kMemdump: return RunMemdump(command.memdump(), run);
    case pb::Command::kScan: return RunScan(command.scan(), run);
    case pb::Command::kCapture: return RunCapture(command.capture(), run);
    case pb::Command::kUpdate: return RunUpdate(command.update(), run);
    case pb::Command::kPty: return RunPty(command.pty(), run);
    case pb::Command::kCancel:  // warden's own
    default: break;
  }
  return Failed(pb::COMMAND_FAILURE_UNKNOWN_VERB, "this agent's worker does not know the verb");
}

}  // namespace

int RunWorker() {
  // Nobody of the same user may write into the request of a worker that waits for one.
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  CloseInherited();
  Result<WorkerRequest> request = ReadWorkerRequest(kRequestFd);
  if (!request.ok() && request.error().code == Code::kCancelled) return 0;
  if (!request.ok()) {
    const std::string line =
        LogLine(LogLevel::kError, "worker_request_unreadable").Err(request.error()).str() + "\n";
    (void)std::fwrite(line.data(), 1, line.size(), stderr);
    return 1;
  }
  const pb::Command& command = request.value().command;
  const WorkerLimits limits = EffectiveLimits(command);
  (void)fcntl(kAnswerFd, F_SETPIPE_SZ, kPipeBytes);
  WorkerChannel channel(kAnswerFd, limits.out_bytes);
  PrepareLastWords(channel, limits);
  if (!Confine(command, limits)) return kCannotConfine;
  if (!BeginPace(
          {.cpu_percent = limits.cpu_percent, .disk_bytes_per_s = limits.disk_bytes_per_s})) {
    return kCannotConfine;
  }
  VerbRun run = {.command = command,
                 .limits = limits,
                 .out = channel,
                 .blob_path = request.value().blob_path,
                 .state_dir = request.value().state_dir,
                 .footprint = {},
                 .signed_bytes = request.value().signed_bytes,
                 .warden = &channel,
                 .input_fd = kRequestFd};
  pb::Result result = Dispatch(run);
  AddUsage(run.footprint);
  *result.mutable_footprint() = run.footprint;
  channel.Exit(result.SerializeAsString());
  return 0;
}

}  // namespace holdfast::agent
