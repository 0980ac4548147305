#include "agent/verbs/pace.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/verbs/own_io.h"

namespace holdfast::agent {
namespace {

// Of CPU between two looks: fine enough that a share of a tenth comes in pieces of a tenth of a second.
constexpr long kTickNs = 10'000'000;
// The same where a disk is bounded: one that gives 3 GB/s has given 6 MB by then.
constexpr long kDiskTickNs = 2'000'000;
// Longest sleep at once: a rate of a few bytes must not make a process that nobody can tell from a hung one.
constexpr double kMostSleepS = 10.0;
constexpr int kPolite = 10;  // nice(2): a tenth of the weight of what runs normally
// ioprio_set(2), which no header has: the last level of the class that everybody is in.
constexpr int kIoprioWhoProcess = 1;
constexpr int kIoprioLast = 2 << 13 | 7;

// A signal handler can reach nothing but a global; one worker process runs one command.
struct Pace {
  PaceBucket cpu{1, 0};
  PaceBucket disk{1, 0};
  bool has_cpu = false;
  bool has_disk = false;
  bool is_polite = false;
  int io_file = -1;
  double at = 0;
  double cpu_at = 0;
  std::uint64_t read_at = 0;
};
Pace g_pace;

double Seconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

void SleepFor(double seconds) {
  const double most = std::min(seconds, kMostSleepS);
  timespec left{static_cast<time_t>(most),
                static_cast<long>((most - static_cast<double>(static_cast<time_t>(most))) * 1e9)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
  }
}

// Async-signal-safe: clocks, one pread, two system calls, sleep.
void OnTick(int /*signal*/) {
  const int error = errno;
  const double now = Seconds(CLOCK_MONOTONIC);
  const double used = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double elapsed = now - g_pace.at;
  double sleep = 0;
  if (g_pace.has_cpu) sleep = g_pace.cpu.Spend(used - g_pace.cpu_at, elapsed);
  if (g_pace.has_disk) {
    const std::uint64_t read = ReadOwnIo(g_pace.io_file).disk_read_bytes;
    sleep = std::max(sleep, g_pace.disk.Spend(static_cast<double>(read - g_pace.read_at), elapsed));
    g_pace.read_at = read;
  }
  g_pace.at = now;
  g_pace.cpu_at = used;
  if (sleep > 0) {
    if (!g_pace.is_polite) {
      ::setpriority(PRIO_PROCESS, 0, kPolite);
      ::syscall(SYS_ioprio_set, kIoprioWhoProcess, 0, kIoprioLast);
      g_pace.is_polite = true;
    }
    SleepFor(sleep);
  }
  errno = error;
}

}  // namespace

bool BeginPace(const PacePlan& plan) {
  g_pace.has_cpu = plan.cpu_percent > 0 && plan.cpu_percent < 100;
  g_pace.has_disk = plan.disk_bytes_per_s > 0;
  if (!g_pace.has_cpu && !g_pace.has_disk) return true;
  g_pace.cpu = PaceBucket(plan.cpu_percent / 100.0, static_cast<double>(plan.burst_ms) / 1000.0);
  // As much of the disk as in that burst, and half a second besides: one large read is no debt.
  const auto rate = static_cast<double>(plan.disk_bytes_per_s);
  g_pace.disk = PaceBucket(rate, rate / 2);
  if (g_pace.has_disk) {
    g_pace.io_file = OpenOwnIo();
    if (g_pace.io_file < 0)
      g_pace.has_disk = false;  // a kernel that does not count: the CPU's share bounds it
    g_pace.read_at = ReadOwnIo(g_pace.io_file).disk_read_bytes;
  }
  g_pace.at = Seconds(CLOCK_MONOTONIC);
  g_pace.cpu_at = Seconds(CLOCK_PROCESS_CPUTIME_ID);
  struct sigaction action = {};
  action.sa_handler = OnTick;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGPROF;
  timer_t timer{};
  const long tick_ns = g_pace.has_disk ? kDiskTickNs : kTickNs;
  const itimerspec ticks = {{0, tick_ns}, {0, tick_ns}};
  return ::sigaction(SIGPROF, &action, nullptr) == 0 &&
         ::timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0 &&
         ::timer_settime(timer, 0, &ticks, nullptr) == 0;
}

}  // namespace holdfast::agent
