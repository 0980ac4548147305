#include "backend/adapters/linux/spawn.h"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {

constexpr int kFirstInherited = 3;
constexpr int kAboveInherited = 16;  // where descriptors are parked before they get their numbers
constexpr int kCannotRun = 127;      // as shells say it

// Between fork and exec: only calls that signal-safety(7) allows, on data made before.
[[noreturn]] void RunChild(const SpawnOptions& options, char* const* argv, pid_t parent) {
  if (!options.outlives_us) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kCannotRun);  // it died before the line above
  }
  ::setpgid(0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGHUP}) ::signal(number, SIG_DFL);

  const int null = ::open("/dev/null", O_RDONLY);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  if (!options.output_file.empty()) {
    const int out = ::open(options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (out >= 0) {
      ::dup2(out, STDOUT_FILENO);
      ::dup2(out, STDERR_FILENO);
    }
  }
  const int count = static_cast<int>(options.inherited_fds.size());
  for (int i = 0; i < count; ++i) {
    const int parked =
        ::fcntl(options.inherited_fds[static_cast<std::size_t>(i)], F_DUPFD, kAboveInherited);
    if (parked < 0 || ::dup2(parked, kFirstInherited + i) < 0) ::_exit(kCannotRun);
  }
  ::syscall(SYS_close_range, kFirstInherited + count, UINT_MAX, 0);
  ::execvp(options.program.c_str(), argv);
  ::_exit(kCannotRun);
}

}  // namespace

Result<pid_t> Spawn(const SpawnOptions& options) {
  std::vector<char*> argv;
  argv.reserve(options.argv.size() + 1);
  // execvp() does not write through these; its interface is older than const.
  for (const std::string& word : options.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0)
    return Error{Code::kInternal, std::string("fork: ") + std::generic_category().message(errno)};
  if (child == 0) RunChild(options, argv.data(), parent);
  return child;
}

}  // namespace holdfast::backend
