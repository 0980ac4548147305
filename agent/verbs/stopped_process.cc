#include "agent/verbs/stopped_process.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>

#include <dirent.h>
#include <elf.h>
#include <poll.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

namespace holdfast::agent {
namespace {

constexpr int kMaxRounds = 64;        // of looking for threads that others have just made
constexpr int kLookMs = 1;            // between two looks whether they stand
constexpr unsigned kEventShift = 16;  // ptrace(2): status >> 16 is the event

}  // namespace

StoppedProcess::~StoppedProcess() {
  for (const Thread& thread : threads_) {
    if (thread.is_gone) continue;
    // One that does not stand still cannot be let go; the end of this process does that.
    (void)ptrace(PTRACE_DETACH, thread.id, nullptr,
                 reinterpret_cast<void*>(static_cast<std::intptr_t>(thread.signal)));
  }
}

int StoppedProcess::Stop(pid_t pid) {
  bool found = true;
  for (int round = 0; found && round < kMaxRounds; ++round) {
    found = false;
    if (const int error = HoldNew(pid, found); error != 0) return error;
    AwaitAll();  // what stands still makes no more threads
  }
  return threads_.empty() ? ESRCH : 0;
}

int StoppedProcess::HoldNew(pid_t pid, bool& found) {
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir(path.c_str()), closedir);
  if (!tasks) return errno == ENOENT ? ESRCH : errno;
  while (const dirent* entry = readdir(tasks.get())) {
    pid_t id = 0;
    const char* const end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, id).ptr != end || id <= 0) continue;
    if (std::ranges::any_of(threads_, [id](const Thread& one) { return one.id == id; })) continue;
    if (threads_.size() >= kMaxThreads) return E2BIG;
    if (ptrace(PTRACE_SEIZE, id, nullptr, nullptr) != 0) {
      if (errno == ESRCH) continue;
      return errno;
    }
    found = true;
    threads_.push_back({.id = id});
    (void)ptrace(PTRACE_INTERRUPT, id, nullptr, nullptr);
  }
  return 0;
}

// True: there is nothing to wait for.
bool StoppedProcess::Look(Thread& thread) {
  if (thread.is_still || thread.is_gone) return true;
  int status = 0;
  const pid_t got = waitpid(thread.id, &status, __WALL | WNOHANG);
  if (got == 0) return false;
  if (got < 0 || !WIFSTOPPED(status)) {
    thread.is_gone = true;
    return true;
  }
  thread.is_still = true;
  if (static_cast<unsigned>(status) >> kEventShift == 0) thread.signal = WSTOPSIG(status);
  return true;
}

void StoppedProcess::AwaitAll() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    bool all = true;
    for (Thread& thread : threads_) all = Look(thread) && all;
    if (all || std::chrono::steady_clock::now() >= until) return;
    (void)poll(nullptr, 0, kLookMs);
  }
}

std::size_t StoppedProcess::moving() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      threads_, [](const Thread& one) { return !one.is_still && !one.is_gone; }));
}

std::vector<CoreNote> StoppedProcess::Registers() const {
  std::vector<CoreNote> notes;
  for (const Thread& thread : threads_) {
    elf_prstatus status = {};
    iovec room = {.iov_base = &status.pr_reg, .iov_len = sizeof status.pr_reg};
    if (!thread.is_still ||
        ptrace(PTRACE_GETREGSET, thread.id, reinterpret_cast<void*>(NT_PRSTATUS), &room) != 0 ||
        room.iov_len != sizeof status.pr_reg) {  // a program of 32 bits: other registers
      continue;
    }
    status.pr_pid = thread.id;
    notes.push_back(
        {NT_PRSTATUS, std::string(reinterpret_cast<const char*>(&status), sizeof status)});
  }
  return notes;
}

}  // namespace holdfast::agent
