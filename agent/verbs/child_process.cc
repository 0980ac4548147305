#include "agent/verbs/child_process.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::agent {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

bool MakePipe(Pipe& pipe) {
  std::array<int, 2> fds = {};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return false;
  pipe.read.reset(fds[0]);
  pipe.write.reset(fds[1]);
  return true;
}

// Input in memory: nobody has to feed a pipe while the program runs.
UniqueFd InputFile(const std::string& input) {
  if (input.empty()) return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  UniqueFd file(memfd_create("stdin", MFD_CLOEXEC));
  if (!file.valid()) return file;
  if (write(file.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    file.reset();
  }
  return file;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& string : strings) out.push_back(const_cast<char*>(string.c_str()));
  out.push_back(nullptr);
  return out;
}

void SetLimit(__rlimit_resource what, std::uint64_t soft, std::uint64_t hard) {
  rlimit now = {};
  if (getrlimit(what, &now) != 0) return;
  if (hard < now.rlim_max) now.rlim_max = hard;
  now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
  (void)setrlimit(what, &now);
}

// What the child needs, laid out before fork: between fork and execve only system calls are made.
struct ChildSide {
  std::vector<char*> argv;
  std::vector<char*> env;
  int input;
  int output;
  int error;
  int terminal;  // -1: none
  int report;
  pid_t parent;
};

[[noreturn]] void Report(int fd, StartStep step, int error) {
  const StartResult result = {.failed_at = step, .error = error};
  (void)!write(fd, &result, sizeof result);
  _exit(127);
}

[[noreturn]] void RunChild(const ExecPlan& plan, const ChildSide& side) {
  if (side.terminal < 0) {
    (void)setpgid(0, 0);
  } else if (setsid() < 0 || ioctl(side.terminal, TIOCSCTTY, 0) != 0) {
    Report(side.report, StartStep::kPrepare, errno);
  }
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != side.parent) _exit(127);  // the worker died before that took hold
  sigset_t none;
  sigemptyset(&none);
  (void)pthread_sigmask(SIG_SETMASK, &none, nullptr);
  struct sigaction normal = {};
  normal.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) (void)sigaction(signal, &normal, nullptr);
  if (dup2(side.input, 0) < 0 || dup2(side.output, 1) < 0 || dup2(side.error, 2) < 0) {
    Report(side.report, StartStep::kPrepare, errno);
  }
  if (chdir(plan.cwd.c_str()) != 0) Report(side.report, StartStep::kChdir, errno);
  const std::uint64_t cpu_s = (plan.cpu_ms + 999) / 1000;  // the kernel counts whole seconds
  SetLimit(RLIMIT_CPU, cpu_s, cpu_s + 1);
  SetLimit(RLIMIT_DATA, plan.mem_bytes, plan.mem_bytes);
  int error = ENOENT;
  for (const std::string& candidate : plan.candidates) {
    (void)execve(candidate.c_str(), side.argv.data(), side.env.data());
    // One that is there but cannot be run says more than one that is not there.
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  Report(side.report, StartStep::kExec, error);
}

}  // namespace

ChildProcess::~ChildProcess() {
  if (pid_ < 0) return;
  EndGroup();
  (void)Reap();
}

StartResult ChildProcess::Start(const ExecPlan& plan) {
  Pipe out;
  Pipe err;
  const UniqueFd input = InputFile(plan.input);
  if (!MakePipe(out) || !MakePipe(err) || !input.valid()) {
    return {.failed_at = StartStep::kPrepare, .error = errno};
  }
  const StartResult result = Fork(plan, input.get(), out.write.get(), err.write.get(), -1);
  if (result.failed_at != StartStep::kStarted) return result;
  stdout_ = std::move(out.read);
  stderr_ = std::move(err.read);
  (void)fcntl(stdout_.get(), F_SETFL, O_NONBLOCK);
  (void)fcntl(stderr_.get(), F_SETFL, O_NONBLOCK);
  return result;
}

StartResult ChildProcess::StartOn(int terminal, const ExecPlan& plan) {
  return Fork(plan, terminal, terminal, terminal, terminal);
}

StartResult ChildProcess::Fork(const ExecPlan& plan, int input, int output, int error,
                               int terminal) {
  Pipe report;
  if (!MakePipe(report)) return {.failed_at = StartStep::kPrepare, .error = errno};
  const ChildSide side = {.argv = Pointers(plan.argv),
                          .env = Pointers(plan.env),
                          .input = input,
                          .output = output,
                          .error = error,
                          .terminal = terminal,
                          .report = report.write.get(),
                          .parent = getpid()};
  pid_ = fork();
  if (pid_ == 0) RunChild(plan, side);
  if (pid_ < 0) return {.failed_at = StartStep::kPrepare, .error = errno};
  // Whichever of us comes first. Who leads a group already could not begin a session.
  if (terminal < 0) (void)setpgid(pid_, pid_);
  pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  report.write.reset();
  StartResult result;
  ssize_t got = 0;
  do {
    got = read(report.read.get(), &result, sizeof result);  // ends when execve closes it
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof result)) {
    (void)Reap();
    return result;
  }
  return {};
}

bool ChildProcess::HasExited() {
  siginfo_t info = {};
  if (!exited_ && waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    exited_ = info.si_pid == pid_;
  }
  return exited_;
}

void ChildProcess::EndGroup() { (void)kill(-pid_, SIGKILL); }

ChildEnd ChildProcess::Reap() {
  int status = 0;
  rusage usage = {};
  pid_t got = 0;
  do {
    got = wait4(pid_, &status, 0, &usage);
  } while (got < 0 && errno == EINTR);
  pid_ = -1;
  const auto ms = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1000 +
           static_cast<std::uint64_t>(time.tv_usec) / 1000;
  };
  ChildEnd end = {.cpu_ms = ms(usage.ru_utime) + ms(usage.ru_stime)};
  if (WIFEXITED(status)) end.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace holdfast::agent
