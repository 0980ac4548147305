#include "agent/yara/confine.h"

#include <cerrno>
#include <cstddef>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

namespace holdfast::yara {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
constexpr unsigned kArchitecture = AUDIT_ARCH_ARM;
#else
#error "no architecture that the filter knows"
#endif

constexpr long kAllowed[] = {
    SYS_read,
    SYS_pread64,
    SYS_write,
    SYS_recvmsg,
    SYS_sendto,
    SYS_close,
    SYS_fstat,
#ifdef SYS_newfstatat
    SYS_newfstatat,  // glibc's fstat(): of an open descriptor; there is no way to a path from here
#endif
#ifdef SYS_fstat64
    SYS_fstat64,
    SYS_mmap2,
    SYS_send,
    SYS_clock_gettime64,
    SYS__llseek,
#endif
    SYS_statx,
    SYS_lseek,
#ifdef SYS_mmap
    SYS_mmap,
#endif
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_clock_gettime,
    SYS_getrandom,
    SYS_futex,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sched_yield,
    SYS_exit,
    SYS_exit_group,
    // Its pace: to sleep, and to come after everybody else.
    SYS_clock_nanosleep,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_restart_syscall,
#ifdef SYS_clock_nanosleep_time64
    SYS_clock_nanosleep_time64,
#endif
};

}  // namespace

bool Confine() {
  const rlimit none = {};
  const rlimit few = {.rlim_cur = 16, .rlim_max = 16};
  if (setrlimit(RLIMIT_FSIZE, &none) != 0 || setrlimit(RLIMIT_CORE, &none) != 0 ||
      setrlimit(RLIMIT_NOFILE, &few) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return false;
  }
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (const long number : kAllowed) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  const sock_fprog whole = {.len = static_cast<unsigned short>(program.size()),
                            .filter = program.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole, 0, 0) == 0;
}

}  // namespace holdfast::yara
