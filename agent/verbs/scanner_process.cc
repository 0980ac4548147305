#include "agent/verbs/scanner_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/tables/text.h"
#include "agent/verbs/verb_result.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

constexpr char kScannerName[] = "/holdfast-agent-yara";
constexpr char kLibraryDirectory[] = "/usr/libexec/holdfast";
constexpr unsigned kNobody = 65534;
constexpr std::size_t kMaxSelfBytes = 4096;
constexpr std::chrono::milliseconds kCompileTime{300'000};  // 30 s of its own at a tenth of a core

using ScanClock = std::chrono::steady_clock;

bool IsOurs(const struct stat& about) {
  return (about.st_uid == 0 || about.st_uid == geteuid()) && (about.st_mode & 022) == 0;
}

std::string OwnDirectory() {
  std::array<char, kMaxSelfBytes> path = {};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  const std::string self(path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return self.substr(0, std::min(self.rfind('/'), self.size()));
}

// Between fork and execve: system calls only.
[[noreturn]] void BecomeScanner(int program, int socket, pid_t parent, char* const argv[]) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent || dup2(socket, 0) < 0) _exit(127);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) _exit(127);
  if (geteuid() == 0) {
    // The raw calls: nothing of the C library's is held by others here.
    if (syscall(SYS_setgroups, 0, nullptr) != 0 ||
        syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0 ||
        syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) {
      _exit(127);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // the change of user has cleared it
    if (getppid() != parent) _exit(127);
  }
  (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  char* const env[] = {nullptr};
  (void)syscall(SYS_execveat, program, "", argv, env, AT_EMPTY_PATH);
  _exit(127);
}

}  // namespace

bool ParseHit(std::string_view payload, command::v1::Row& row) {
  return row.ParseFromArray(payload.data(), static_cast<int>(payload.size())) &&
         row.values_size() == kScanHitColumns;
}

std::vector<std::string> ScannerProcess::Places() { return {OwnDirectory(), kLibraryDirectory}; }

Status ScannerProcess::Find(const std::vector<std::string>& places) {
  std::string refused;
  for (const std::string& directory : places) {
    const std::string path = directory + kScannerName;
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd.valid()) continue;
    struct stat program = {};
    struct stat around = {};
    if (fstat(fd.get(), &program) != 0 || !S_ISREG(program.st_mode) ||
        stat(directory.c_str(), &around) != 0 || !IsOurs(program) || !IsOurs(around)) {
      refused = path;
      continue;
    }
    program_ = std::move(fd);
    return Ok();
  }
  if (refused.empty()) {
    return Error{Code::kNotFound,
                 std::string("holdfast-agent-yara is not installed, beside the agent or in ") +
                     kLibraryDirectory};
  }
  return Error{Code::kDenied,
               refused + ": not started, for others than root may write to it or its directory"};
}

Status ScannerProcess::StartWithoutRules() {
  End();
  char name[] = "holdfast-agent-yara";
  char word[] = "worker";
  std::string cpu = std::to_string(pace_.cpu_percent);
  std::string disk = std::to_string(pace_.disk_bytes_per_s);
  std::string burst = std::to_string(pace_.burst_ms);
  char* const argv[] = {name, word, cpu.data(), disk.data(), burst.data(), nullptr};
  pace_.burst_ms = 0;  // or whoever makes it start again and again would never be slowed down
  int ends[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error{Code::kUnavailable, "the scanner's socket: " + ErrnoText(errno)};
  }
  socket_.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) BecomeScanner(program_.get(), theirs.get(), parent, argv);
  if (pid_ < 0) return Error{Code::kUnavailable, "the scanner's process: " + ErrnoText(errno)};
  return Ok();
}

Result<std::uint32_t> ScannerProcess::Start(int rules_fd) {
  HF_TRY(StartWithoutRules());
  if (!Send(ScanMessage::kRules, "", rules_fd)) {
    return Error{Code::kUnavailable, "the scanner did not take the rules"};
  }
  const std::string answer = Receive(ScanClock::now() + kCompileTime);
  if (answer.size() == 5 && answer[0] == static_cast<char>(ScanMessage::kReady)) {
    return static_cast<std::uint32_t>(LittleEndian(std::string_view(answer).substr(1)));
  }
  End();
  if (!answer.empty() && answer[0] == static_cast<char>(ScanMessage::kRefused)) {
    return Error{Code::kInvalid, "rules: " + Shown(answer.substr(1))};
  }
  return Error{Code::kUnavailable, "the scanner ended, or said nothing, over the rules"};
}

void ScannerProcess::End() {
  socket_.reset();
  if (pid_ <= 0) return;
  (void)kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

bool ScannerProcess::Send(ScanMessage type, std::string_view payload, int fd) const {
  std::string record(1, static_cast<char>(type));
  record += payload;
  iovec piece = {.iov_base = record.data(), .iov_len = record.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(record.size());
}

std::string ScannerProcess::Receive(ScanClock::time_point until) const {
  std::string record(kMaxScanRecordBytes, '\0');
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - ScanClock::now()).count();
    pollfd one = {.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const int ready = poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, INT32_MAX)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return {};
    const ssize_t got = recv(socket_.get(), record.data(), record.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    record.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return record;
  }
}

ScannerProcess::Seen ScannerProcess::LookAtFile(int fd, const Bounds& bounds, const OnHit& on_hit) {
  return Look(ScanMessage::kFile, fd, bounds, on_hit);
}

ScannerProcess::Seen ScannerProcess::LookAtMemory(int fd, std::span<const MemoryRun> runs,
                                                  const Bounds& bounds, const OnHit& on_hit) {
  std::string payload;
  std::size_t count = 0;
  for (const MemoryRun& run : runs) {
    if (run.bytes == 0) continue;
    AppendLittle(payload, run.from, 8);
    AppendLittle(payload, run.from + run.bytes, 8);
    if (++count % kMaxScanRegions != 0) continue;
    if (!Send(ScanMessage::kRegions, payload, -1)) return Seen::kDied;
    payload.clear();
  }
  if (!payload.empty() && !Send(ScanMessage::kRegions, payload, -1)) return Seen::kDied;
  return Look(ScanMessage::kMemory, fd, bounds, on_hit);
}

Result<FileKind> ScannerProcess::Describe(int fd, std::chrono::milliseconds time) {
  const ScanClock::time_point until = ScanClock::now() + time;
  std::string record;
  if (Send(ScanMessage::kDescribe, "", fd)) record = Receive(until);
  if (record.empty() || record[0] != static_cast<char>(ScanMessage::kKind)) {
    const bool is_late = ScanClock::now() >= until;
    End();
    return is_late
               ? Error{Code::kCancelled, "took longer than " + std::to_string(time.count()) + " ms"}
               : Error{Code::kUnavailable, "the scanner ended over it"};
  }
  std::string_view rest = std::string_view(record).substr(1);
  FileKind kind;
  for (std::string* const part : {&kind.description, &kind.mime_type, &kind.mime_encoding})
    *part = NextField(rest, '\0');
  return kind;
}

ScannerProcess::Seen ScannerProcess::Look(ScanMessage type, int fd, const Bounds& bounds,
                                          const OnHit& on_hit) {
  std::string payload;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(bounds.time).count();
  AppendLittle(payload, static_cast<std::uint64_t>(seconds), 4);
  AppendLittle(payload, bounds.rows, 4);
  if (!Send(type, payload, fd)) return Seen::kDied;
  const ScanClock::time_point until = ScanClock::now() + bounds.time + bounds.grace;
  for (std::uint32_t rows = 0;; ++rows) {
    const std::string record = Receive(until);
    if (record.empty()) return ScanClock::now() >= until ? Seen::kTime : Seen::kDied;
    if (record[0] == static_cast<char>(ScanMessage::kEnd) && record.size() >= 2) {
      why_ = record.substr(2);
      switch (static_cast<ScanEnd>(record[1])) {
        case ScanEnd::kWhole: return Seen::kWhole;
        case ScanEnd::kTime: return Seen::kTime;
        case ScanEnd::kRows: return Seen::kRows;
        default: return Seen::kFailed;
      }
    }
    command::v1::Row row;
    if (record[0] != static_cast<char>(ScanMessage::kHit) || rows >= bounds.rows ||
        !ParseHit(std::string_view(record).substr(1), row)) {
      return Seen::kDied;  // no healthy scanner says that
    }
    if (!on_hit(row)) return Seen::kStopped;
  }
}

}  // namespace holdfast::agent
