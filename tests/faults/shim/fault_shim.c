// fault_shim: counts the calls that change a disk or leave the process, and breaks one of them.
//
// LD_PRELOADed into a dynamically linked program. What it does is in the environment:
//
//   HF_SHIM_PREFIX  files below this path count; also sends on Unix sockets, if "send" is named
//   HF_SHIM_CALLS   which: write fsync rename unlink truncate send (each stands for its kin)
//   HF_SHIM_AT      the k-th counted call, from 1; 0 breaks none and only logs
//   HF_SHIM_DO      kill       SIGKILL instead of the call
//                   killafter  the call, then SIGKILL before it returns
//                   tear       half of a write, then SIGKILL
//                   enospc, eio  the call fails, once
//                   full       every write-like call from the k-th on fails with ENOSPC, as long as
//                              HF_SHIM_WHILE exists
//   HF_SHIM_SLEEP   every counted call first sleeps so many ms (a slow disk)
//   HF_SHIM_WHILE   a path: nothing is broken or slowed unless it exists (empty: always)
//   HF_SHIM_PLAN    a file with "ROLE FAMILY CALLS AT DO" instead of all of that: which process (its
//                   --role), which sockets (unix, the local port of TCP ones, or -), one name of CALLS; nothing happens while
//                   it is not there, and it is removed by the process that is hit. Looked at anew at
//                   each call, so that one run of a program can be broken many times.
//   HF_SHIM_LOG     a file: one line "k call path" for each counted call; "! k call path" for a hit
//
// Limits: memory that is mapped (SQLite's -shm) is written without system calls, and is not seen.
// Threading: the programs it is meant for have one thread that writes; the counter is atomic.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { kMaxPath = 4096 };
enum Act { kPass, kKill, kKillAfter, kTear, kFail };

static struct {
  int ready;
  char prefix[kMaxPath];
  char calls[256];
  char action[32];
  char guard[kMaxPath];
  char plan[kMaxPath];
  char cmdline[1024];
  char family[16];
  struct timespec planned;
  long at;
  long sleep_ms;
  int log;
} setup = {.log = -1};
static atomic_long counted;

static void Copy(char* to, size_t room, const char* name) {
  const char* value = getenv(name);
  snprintf(to, room, "%s", value == NULL ? "" : value);
}

static void Prepare(void) {
  if (setup.ready) return;
  setup.ready = 1;
  Copy(setup.plan, sizeof setup.plan, "HF_SHIM_PLAN");
  const int self = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  const ssize_t got = self < 0 ? 0 : read(self, setup.cmdline, sizeof setup.cmdline - 1);
  for (ssize_t i = 0; i < got; ++i) {
    if (setup.cmdline[i] == 0) setup.cmdline[i] = ' ';
  }
  if (self >= 0) syscall(SYS_close, self);
  Copy(setup.prefix, sizeof setup.prefix, "HF_SHIM_PREFIX");
  Copy(setup.calls, sizeof setup.calls, "HF_SHIM_CALLS");
  Copy(setup.action, sizeof setup.action, "HF_SHIM_DO");
  Copy(setup.guard, sizeof setup.guard, "HF_SHIM_WHILE");
  const char* at = getenv("HF_SHIM_AT");
  const char* sleep_ms = getenv("HF_SHIM_SLEEP");
  setup.at = at == NULL ? 0 : atol(at);
  setup.sleep_ms = sleep_ms == NULL ? 0 : atol(sleep_ms);
  const char* log = getenv("HF_SHIM_LOG");
  if (log != NULL && *log != 0) {
    // High, so that no child's descriptors are disturbed.
    const int low = (int)syscall(SYS_openat, AT_FDCWD, log,
                                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    setup.log = fcntl(low, F_DUPFD_CLOEXEC, 200);
    syscall(SYS_close, low);
  }
}

static int IsOfFamily(int fd) {
  struct sockaddr_storage name;
  socklen_t size = sizeof name;
  if (setup.family[0] == 0 || setup.family[0] == '-') return 1;
  if (getsockname(fd, (struct sockaddr*)&name, &size) != 0) return 0;
  if (strcmp(setup.family, "unix") == 0) return name.ss_family == AF_UNIX;
  // The port lies at the same place in both families.
  return (name.ss_family == AF_INET || name.ss_family == AF_INET6) &&
         ntohs(((const struct sockaddr_in*)&name)->sin_port) == atoi(setup.family);
}

// False: there is no plan, or it is for another process.
static int ReadPlan(void) {
  struct stat facts;
  if (stat(setup.plan, &facts) != 0) return 0;
  if (memcmp(&facts.st_mtim, &setup.planned, sizeof setup.planned) != 0) {
    char text[256] = "";
    const int file = (int)syscall(SYS_openat, AT_FDCWD, setup.plan, O_RDONLY | O_CLOEXEC);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0) return 0;
    syscall(SYS_close, file);
    char role[32];
    char calls[32];
    if (sscanf(text, "%31s %15s %31s %ld %31s", role, setup.family, calls, &setup.at,
               setup.action) != 5) {
      return 0;
    }
    char words[64];
    snprintf(words, sizeof words, "--role %s", role);
    snprintf(setup.calls, sizeof setup.calls, "%s",
             strstr(setup.cmdline, words) == NULL ? "" : calls);
    setup.planned = facts.st_mtim;
    atomic_store(&counted, 0);
  }
  return setup.calls[0] != 0;
}

// The path behind a descriptor, or "send" for a socket where those count; NULL: it does not count.
static const char* Counts(int fd, const char* path, const char* call, char* room) {
  Prepare();
  if (setup.plan[0] != 0 && !ReadPlan()) return NULL;
  const int is_write = strcmp(call, "write") == 0;
  if (strstr(setup.calls, is_write ? "" : call) == NULL) return NULL;
  if (path == NULL) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t got = readlink(link, room, kMaxPath - 1);
    if (got <= 0) return NULL;
    room[got] = 0;
    path = room;
  }
  const int is_socket = strncmp(path, "socket:", 7) == 0;
  if (is_socket && (is_write || strcmp(call, "send") == 0)) {
    return strstr(setup.calls, "send") != NULL && IsOfFamily(fd) ? path : NULL;
  }
  if (strstr(setup.calls, call) == NULL) return NULL;
  return strncmp(path, setup.prefix, strlen(setup.prefix)) == 0 ? path : NULL;
}

static void Log(int hit, long k, const char* call, const char* path) {
  if (setup.log < 0) return;
  char line[kMaxPath + 96];
  const int size =
      snprintf(line, sizeof line, "%s%ld %s %s\n", hit ? "! " : "", k, call, path);
  if (syscall(SYS_write, setup.log, line, size) != size) abort();
}

static void Die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) syscall(SYS_pause);
}

// Decides about one call. On kFail errno is set; kKill does not return.
static enum Act Decide(int fd, const char* at_path, const char* call) {
  char room[kMaxPath];
  const int before = errno;
  const char* path = Counts(fd, at_path, call, room);
  const int held = path != NULL && setup.guard[0] != 0 && access(setup.guard, F_OK) != 0;
  errno = before;
  if (path == NULL || held) return kPass;
  if (setup.sleep_ms > 0) {
    const struct timespec pause = {setup.sleep_ms / 1000, setup.sleep_ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
  }
  const long k = atomic_fetch_add(&counted, 1) + 1;
  const int is_full = strcmp(setup.action, "full") == 0;
  const int hit = setup.at != 0 && (k == setup.at || (is_full && k > setup.at));
  Log(hit, k, call, path);
  if (!hit) return kPass;
  // Of several that come to it at once only one is hit.
  if (setup.plan[0] != 0 && syscall(SYS_unlinkat, AT_FDCWD, setup.plan, 0) != 0) return kPass;
  if (strcmp(setup.action, "kill") == 0) Die();
  if (strcmp(setup.action, "killafter") == 0) return kKillAfter;
  if (strcmp(setup.action, "tear") == 0) return kTear;
  errno = strcmp(setup.action, "eio") == 0 ? EIO : ENOSPC;
  return kFail;
}

#define REAL(type, name) \
  static type real;      \
  if (real == NULL) *(void**)&real = dlsym(RTLD_NEXT, name)

// The call itself, with what was decided about it. `torn` is what "tear" does of it first.
#define GUARDED(fd, path, call, whole, torn)                   \
  do {                                                         \
    const enum Act act = Decide(fd, path, call);               \
    if (act == kFail) return -1;                               \
    if (act == kTear) {                                        \
      if ((torn) < 0) abort();                                 \
      Die();                                                   \
    }                                                          \
    __typeof__(whole) done = (whole);                          \
    if (act == kKillAfter) Die();                              \
    return done;                                               \
  } while (0)

typedef ssize_t (*WriteCall)(int, const void*, size_t);
ssize_t write(int fd, const void* data, size_t size) {
  REAL(WriteCall, "write");
  GUARDED(fd, NULL, "write", real(fd, data, size), real(fd, data, size / 2));
}

typedef ssize_t (*PwriteCall)(int, const void*, size_t, off_t);
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  REAL(PwriteCall, "pwrite");
  GUARDED(fd, NULL, "write", real(fd, data, size, at), real(fd, data, size / 2, at));
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  REAL(PwriteCall, "pwrite64");
  GUARDED(fd, NULL, "write", real(fd, data, size, at), real(fd, data, size / 2, at));
}

typedef ssize_t (*WritevCall)(int, const struct iovec*, int);
ssize_t writev(int fd, const struct iovec* parts, int count) {
  REAL(WritevCall, "writev");
  GUARDED(fd, NULL, "write", real(fd, parts, count), real(fd, parts, 1));
}

typedef ssize_t (*PwritevCall)(int, const struct iovec*, int, off_t);
ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t at) {
  REAL(PwritevCall, "pwritev");
  GUARDED(fd, NULL, "write", real(fd, parts, count, at), real(fd, parts, 1, at));
}

ssize_t pwritev64(int fd, const struct iovec* parts, int count, off64_t at) {
  REAL(PwritevCall, "pwritev64");
  GUARDED(fd, NULL, "write", real(fd, parts, count, at), real(fd, parts, 1, at));
}

typedef int (*FdCall)(int);
int fsync(int fd) {
  REAL(FdCall, "fsync");
  GUARDED(fd, NULL, "fsync", real(fd), 0);
}

int fdatasync(int fd) {
  REAL(FdCall, "fdatasync");
  GUARDED(fd, NULL, "fsync", real(fd), 0);
}

typedef int (*TruncateCall)(int, off_t);
int ftruncate(int fd, off_t size) {
  REAL(TruncateCall, "ftruncate");
  GUARDED(fd, NULL, "truncate", real(fd, size), 0);
}

int ftruncate64(int fd, off64_t size) {
  REAL(TruncateCall, "ftruncate64");
  GUARDED(fd, NULL, "truncate", real(fd, size), 0);
}

typedef int (*PathCall)(const char*);
int unlink(const char* path) {
  REAL(PathCall, "unlink");
  GUARDED(-1, path, "unlink", real(path), 0);
}

typedef int (*RenameCall)(const char*, const char*);
int rename(const char* from, const char* to) {
  REAL(RenameCall, "rename");
  GUARDED(-1, from, "rename", real(from, to), 0);
}

typedef int (*UnlinkatCall)(int, const char*, int);
int unlinkat(int folder, const char* path, int flags) {
  REAL(UnlinkatCall, "unlinkat");
  GUARDED(folder, path[0] == '/' ? path : NULL, "unlink", real(folder, path, flags), 0);
}

typedef int (*RenameatCall)(int, const char*, int, const char*);
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  REAL(RenameatCall, "renameat");
  GUARDED(from_folder, from[0] == '/' ? from : NULL, "rename",
          real(from_folder, from, to_folder, to), 0);
}

typedef ssize_t (*SendCall)(int, const void*, size_t, int);
ssize_t send(int fd, const void* data, size_t size, int flags) {
  REAL(SendCall, "send");
  GUARDED(fd, NULL, "send", real(fd, data, size, flags), real(fd, data, size / 2, flags));
}
