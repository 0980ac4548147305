#include "agent/verbs/scanning_machine.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/verbs/memory_source.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {
namespace {

// Of a hit (kScanHitColumns).
constexpr int kHitRule = 0;
constexpr int kHitTags = 2;
constexpr int kHitString = 4;
constexpr int kHitOffset = 5;

Error FileError(int error) {
  const Code code = error == ENOENT   ? Code::kNotFound
                    : error == EACCES ? Code::kDenied
                                      : Code::kInternal;
  return {code, ErrnoText(error)};
}

UniqueFd MemoryFileOf(std::string_view text) {
  UniqueFd file(memfd_create("rules", MFD_CLOEXEC));
  while (file.valid() && !text.empty()) {
    const ssize_t put = write(file.get(), text.data(), text.size());
    if (put < 0) return UniqueFd();
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  return file;
}

}  // namespace

// The agent's key would be told of in complaints about its syntax.
Result<std::string> ScanningMachine::ReadRules(const std::string& path) {
  const OpenedFile file = key_.Guard(agent::OpenRegular(path));
  if (file.error != 0) return Error{Code::kInvalid, ErrnoText(file.error)};
  std::string text(std::min<std::uint64_t>(file.stat.size, kMaxRuleBytes), '\0');
  const ssize_t got = pread(file.fd.get(), text.data(), text.size(), 0);
  if (got < 0) return FileError(errno);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

Status ScanningMachine::FindModule() {
  if (is_found_) return Ok();
  for (ScannerProcess* const scanner : {&by_rules_, &by_magic_}) {
    Status found = scanner->Find(ScannerProcess::Places());
    if (found.ok()) continue;
    const bool is_missing = found.error().code == Code::kNotFound;
    return Error{is_missing ? Code::kUnsupported : Code::kDenied, found.error().message};
  }
  is_found_ = true;
  return Ok();
}

Status ScanningMachine::StartWith(std::string_view rules) {
  if (by_rules_.is_running() && rules_ == rules) return Ok();
  const UniqueFd file = MemoryFileOf(rules);
  if (!file.valid()) return Error{Code::kInternal, "the rules: " + ErrnoText(errno)};
  const Result<std::uint32_t> started = by_rules_.Start(file.get());
  if (!started.ok()) return started.error();
  rules_ = rules;
  return Ok();
}

Status ScanningMachine::CheckScanner(std::string_view rules) {
  HF_TRY(FindModule());
  if (!rules.empty()) return StartWith(rules);
  return by_magic_.is_running() ? Ok() : by_magic_.StartWithoutRules();
}

Error ScanningMachine::Lost(std::string why) {
  ++deaths_;
  return {Code::kInternal, std::move(why)};
}

Result<std::vector<RuleMatch>> ScanningMachine::Scan(const ScanTask& task) {
  if (deaths_ >= kMaxScannerDeaths)
    return Error{Code::kInternal, "not looked through: the scanner ended or hung too often"};
  HF_TRY(FindModule());
  HF_TRY(StartWith(task.rules));
  std::vector<RuleMatch> found;
  const ScannerProcess::Bounds bounds = {
      .time = task.time, .rows = kMaxScanMatches, .grace = std::chrono::milliseconds(0)};
  const auto on_hit = [&found](const command::v1::Row& hit) {
    found.push_back({.rule = hit.values(kHitRule).text(),
                     .tags = hit.values(kHitTags).text(),
                     .string = hit.values(kHitString).text(),
                     .offset = hit.values(kHitOffset).integer()});
    return true;
  };
  ScannerProcess::Seen seen = ScannerProcess::Seen::kFailed;
  if (!task.path.empty()) {
    const OpenedFile file = key_.Guard(agent::OpenRegular(task.path));
    if (file.error != 0) return FileError(file.error);
    if (file.stat.size > kMaxScanFileBytes) {
      return Error{Code::kInternal, "larger than " + std::to_string(kMaxScanFileBytes) +
                                        " bytes; scan takes larger ones"};
    }
    seen = by_rules_.LookAtFile(file.fd.get(), bounds, on_hit);
  } else {
    MemorySource source;
    command::v1::Result opened = source.Open(task.pid, 0);
    if (opened.outcome() == command::v1::OUTCOME_DONE) opened = source.ReadRegions();
    if (opened.outcome() != command::v1::OUTCOME_DONE) {
      // Those that have gone, the kernel's and the agent's own have no row.
      const bool is_failure = opened.failure() == command::v1::COMMAND_FAILURE_IO;
      return Error{is_failure ? Code::kInternal : Code::kNotFound, opened.message()};
    }
    std::vector<MemoryRun> runs;
    source.PlanRuns(source.regions(), runs);
    seen = by_rules_.LookAtMemory(source.memory_fd(), runs, bounds, on_hit);
  }
  switch (seen) {
    case ScannerProcess::Seen::kWhole: return found;
    case ScannerProcess::Seen::kRows: return found;
    case ScannerProcess::Seen::kFailed: return Error{Code::kInternal, by_rules_.why()};
    case ScannerProcess::Seen::kTime:
      by_rules_.End();
      return Lost("took longer than " + std::to_string(task.time.count()) + " ms");
    default: by_rules_.End(); return Lost("the scanner ended over it");
  }
}

Result<FileKind> ScanningMachine::Describe(const std::string& path,
                                           std::chrono::milliseconds time) {
  if (deaths_ >= kMaxScannerDeaths)
    return Error{Code::kInternal, "not looked into: the scanner ended or hung too often"};
  HF_TRY(CheckScanner(""));
  const OpenedFile file = key_.Guard(agent::OpenRegular(path));
  if (file.error != 0) return FileError(file.error);
  if (file.stat.size == 0 && file.stat.blocks == 0 && !path.starts_with("/proc/"))
    return FileKind{"empty", "inode/x-empty", "binary"};
  auto kind = by_magic_.Describe(file.fd.get(), time);
  if (!kind.ok()) return Lost(kind.error().message);
  return kind;
}

}  // namespace holdfast::agent
