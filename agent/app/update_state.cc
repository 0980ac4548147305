#include "agent/app/update_state.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "agent/adapters/linux/directory.h"
#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/os_error.h"
#include "agent/app/log.h"
#include "agent/core/program_arch.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"

namespace holdfast::agent {
namespace {

// Above what the trial's own clock allows: the second to act, not the first.
constexpr Duration kTimerLate = std::chrono::seconds(60);

std::string FileOf(const Program& program) { return std::string(kProgramPrefix) + program.version; }

std::string PathOf(const StateDir& dir, const Program& program) {
  return dir.PathOf(kProgramsDir) + "/" + FileOf(program);
}

// Of what a program that was replaced under us is called, the name that it had.
std::string OwnPath() {
  std::array<char, PATH_MAX> path{};
  const auto length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
  std::string_view own(path.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  constexpr std::string_view kDeleted = " (deleted)";
  if (own.ends_with(kDeleted)) own.remove_suffix(kDeleted.size());
  return std::string(own);
}

// A disk forgets; what it holds of a program is looked at each time before it runs.
Status CheckBytes(const std::string& path, const Digest& sha256) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) return OsError(path, errno);
  const auto crypto = NewMbedtlsCrypto();
  const auto hasher = crypto->NewSha256();
  std::vector<char> buffer(std::size_t{64} * 1024);
  for (;;) {
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return OsError(path, errno);
    if (got == 0) break;
    hasher->Update({buffer.data(), static_cast<std::size_t>(got)});
  }
  if (hasher->Finish() == sha256) return Ok();
  return Error{Code::kCorrupt, path + ": it is not what was fetched"};
}

// Nothing of how this process was is kept but its number: signals as a new program expects them.
Error Become(const std::string& path, std::span<char*> argv) {
  sigset_t none;
  sigset_t before;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, &before);
  ::execv(path.c_str(), argv.data());
  const int number = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return OsError(path, number);
}

Error TryProgram(const StateDir& dir, const Program& program, const UpdateTrial* trial,
                 std::span<char*> argv) {
  const std::string path = PathOf(dir, program);
  if (auto good = CheckBytes(path, program.sha256); !good.ok()) return std::move(good).error();
  if (trial != nullptr) {
    const auto most = trial->hold + trial->link + kTimerLate;
    ::alarm(static_cast<unsigned>(std::chrono::ceil<std::chrono::seconds>(most).count()));
  }
  const std::string own = OwnPath();
  ::setenv(kPackagedVariable, own.c_str(), 1);
  Error why = Become(path, argv);
  ::unsetenv(kPackagedVariable);
  ::alarm(0);
  return why;
}

void SayNotRun(const Program& program, const Error& why) {
  WriteLogLine(
      LogLine(LogLevel::kError, "program_cannot_run").Text("version", program.version).Err(why));
}

}  // namespace

RunningProgram ThisProgram(std::string_view version) {
  return {std::string(version), std::string(kProgramArch),
          std::getenv(kPackagedVariable) != nullptr};
}

Result<UpdateRecord> ReadUpdateRecord(const StateDir& dir) {
  auto text = dir.ReadFile(kUpdateFile, kMaxUpdateBytes);
  if (!text.ok() && text.error().code == Code::kNotFound) return UpdateRecord{};
  if (!text.ok()) return std::move(text).error();
  return ParseUpdate(text.value());
}

void BecomeChosenProgram(const std::string& state, std::string_view version, StartFor what,
                         std::span<char*> argv) {
  if (std::getenv(kPackagedVariable) != nullptr) return;  // chosen already
  ::alarm(0);                                             // of a trial that is over
  const bool is_run = what == StartFor::kRun;
  // With the lock: another agent's starts are not ours to count.
  auto dir = StateDir::Open(state, is_run ? StateDir::Mode::kOwn : StateDir::Mode::kLook);
  if (!dir.ok()) return;  // whoever needs it says so
  auto read = ReadUpdateRecord(dir.value());
  if (!read.ok()) {
    // Of which program it was said that it is good nobody knows any more: the packaged one is.
    WriteLogLine(LogLine(LogLevel::kError, "update_record_lost").Err(read.error()));
    return;
  }
  UpdateRecord record = std::move(read).value();
  if (!is_run) record.trial.reset();
  for (;;) {
    const NextProgram next = ChooseProgram(record, version, ReadClocks().wall);
    const auto save = [&] {
      return is_run ? dir.value().WriteFile(kUpdateFile, FormatUpdate(record)) : Ok();
    };
    Status saved = next.has_changed ? save() : Ok();
    if (!next.program) return;
    const bool may_run = saved.ok() || !next.is_trial;  // what cannot be counted is not tried
    const UpdateTrial* trial = next.is_trial ? &*record.trial : nullptr;
    const Error why =
        may_run ? TryProgram(dir.value(), *next.program, trial, argv) : std::move(saved).error();
    SayNotRun(*next.program, why);
    StrikeOut(record, next, why.message, ReadClocks().wall);
    static_cast<void>(save().ok());  // the next start finds the same
  }
}

Error BecomePackagedProgram(std::span<char*> argv) {
  const char* packaged = std::getenv(kPackagedVariable);
  const std::string path = packaged == nullptr ? OwnPath() : packaged;
  ::unsetenv(kPackagedVariable);
  return Become(path, argv);
}

Result<std::string> UpdateState::Load() { return dir_.ReadFile(kUpdateFile, kMaxUpdateBytes); }

Status UpdateState::Save(std::string_view bytes) { return dir_.WriteFile(kUpdateFile, bytes); }

void UpdateState::StopTimer() { ::alarm(0); }

void UpdateState::Tidy(const UpdateRecord& record) {
  std::vector<std::string> kept;
  for (const auto* program : {&record.current, &record.previous}) {
    if (*program) kept.push_back(FileOf(**program));
  }
  if (record.trial) kept.push_back(FileOf(record.trial->program));
  const std::string programs = dir_.PathOf(kProgramsDir);
  const auto names = ListNames(programs);
  if (!names.ok()) return;  // none was ever fetched
  for (const std::string& name : names.value()) {
    if (std::find(kept.begin(), kept.end(), name) != kept.end()) continue;
    ::unlink((programs + "/" + name).c_str());
  }
}

}  // namespace holdfast::agent
