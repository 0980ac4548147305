#include "agent/adapters/linux/self_exec.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/adapters/linux/os_error.h"

namespace holdfast::agent {
namespace {

constexpr int kFds = 4;
constexpr int kHighFd = 64;  // above every target, below every limit

// Everything below runs in the child between vfork and exec: system calls only, no allocation.

bool MoveFds(const ChildPlan& plan) {
  std::array<int, kFds> high{-1, -1, -1, -1};
  for (int i = 0; i < kFds; ++i) {
    const int fd = plan.fds[static_cast<std::size_t>(i)];
    if (fd < 0) continue;
    high[static_cast<std::size_t>(i)] = ::fcntl(fd, F_DUPFD_CLOEXEC, kHighFd);
    if (high[static_cast<std::size_t>(i)] < 0) return false;
  }
  for (int i = 0; i < kFds; ++i) {
    const int fd = high[static_cast<std::size_t>(i)];
    if (fd >= 0 && ::dup2(fd, i) < 0) return false;
  }
  return true;
}

bool SetLimits(const ChildPlan& plan) {
  rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return false;
  if (plan.data_bytes > 0) {
    rlimit data{plan.data_bytes, plan.data_bytes};
    if (::setrlimit(RLIMIT_DATA, &data) != 0) return false;
  }
  if (plan.cpu.count() > 0) {
    const auto seconds = static_cast<rlim_t>((plan.cpu.count() + 999) / 1000);
    rlimit cpu{seconds, seconds + 2};  // SIGXCPU, and SIGKILL for what does not listen
    if (::setrlimit(RLIMIT_CPU, &cpu) != 0) return false;
  }
  return true;
}

// The raw system calls: glibc's would look for other threads of a process that we only borrow.
bool DropTo(const UserIds& to) {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 &&
         ::syscall(SYS_setresgid, to.group, to.group, to.group) == 0 &&
         ::syscall(SYS_setresuid, to.user, to.user, to.user) == 0 &&
         ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

void ResetSignals() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

struct Image {
  int program;
  const char* path;  // of the same file
  char* const* argv;
  char* const* environment;
};

[[noreturn]] void RunChild(const ChildPlan& plan, pid_t parent, const Image& image) {
  ::setsid();
  // Before anything else, and so before there are children of its own.
  const bool is_inside = plan.group_door < 0 || ::write(plan.group_door, "0", 1) == 1;
  const bool is_ready =
      is_inside && MoveFds(plan) && SetLimits(plan) && (!plan.drop_to || DropTo(*plan.drop_to));
  // After a change of user: that change clears it (prctl(2)).
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (plan.is_subreaper) ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (!is_ready || ::getppid() != parent || ::chdir("/") != 0) ::_exit(126);
  ResetSignals();
  ::syscall(SYS_execveat, image.program, "", image.argv, image.environment, AT_EMPTY_PATH);
  // Where that call is not known: an emulator, the filter of a container.
  if (errno == ENOSYS || errno == EPERM) ::execve(image.path, image.argv, image.environment);
  ::_exit(127);
}

}  // namespace

Result<SelfExec> SelfExec::Open() {
  const UniqueFd low(::open("/proc/self/exe", O_PATH | O_CLOEXEC));
  // Above the numbers that children get.
  UniqueFd program(::fcntl(low.get(), F_DUPFD_CLOEXEC, kHighFd));
  if (!program.is_open()) return OsError("opening /proc/self/exe", errno);
  std::array<char, PATH_MAX> path{};
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  return SelfExec(std::move(program),
                  std::string(path.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))));
}

Result<pid_t> SelfExec::Start(const ChildPlan& plan) const {
  char name[] = "holdfast-agent";
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char language[] = "LANG=C.UTF-8";
  // exec only reads them
  char* const argv[] = {name, const_cast<char*>(plan.subcommand), const_cast<char*>(plan.argument),
                        nullptr};
  char* const environment[] = {path, language, nullptr};
  const pid_t parent = ::getpid();
  // Signals wait until the child has its own dispositions: it shares our memory until exec.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t child = ::vfork();
  if (child == 0) RunChild(plan, parent, {program_.get(), path_.c_str(), argv, environment});
  const int number = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) return OsError("starting a process", number);
  return child;
}

}  // namespace holdfast::agent
