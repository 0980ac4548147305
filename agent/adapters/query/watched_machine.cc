#include "agent/adapters/query/watched_machine.h"

#include <algorithm>
#include <utility>

namespace holdfast::agent {
namespace {

Error Late() { return {Code::kCancelled, "the query's time is over"}; }

// Pieces of a file stop coming when the time is over.
class WatchedPieces : public PieceReader {
 public:
  WatchedPieces(std::unique_ptr<PieceReader> pieces, const Patience& patience)
      : pieces_(std::move(pieces)), patience_(patience) {}
  std::size_t ReadAt(std::uint64_t offset, std::span<char> out) override {
    return patience_.IsOver() ? 0 : pieces_->ReadAt(offset, out);
  }

 private:
  std::unique_ptr<PieceReader> pieces_;
  const Patience& patience_;
};

}  // namespace

void WatchedMachine::Begin(TimePoint deadline) {
  deadline_ = deadline;
  unread_ = 0;
  first_unread_.clear();
  notes_.clear();
}

bool WatchedMachine::IsOver() const { return std::chrono::steady_clock::now() >= deadline_; }

// What is not there was never promised; what is something else matters where a file had to be.
void WatchedMachine::Count(const std::string& path, const Error& error, Kind kind) {
  const bool counts = error.code == Code::kDenied || error.code == Code::kInternal ||
                      (error.code == Code::kInvalid && kind == Kind::kRegular);
  if (counts && unread_++ == 0) first_unread_ = path + ": " + error.message;
}

template <typename Value, typename Ask>
Result<Value> WatchedMachine::Watch(const std::string& path, Kind kind, Ask ask) {
  if (IsOver()) return Late();
  Result<Value> answer = ask();
  if (!answer.ok()) Count(path, answer.error(), kind);
  return answer;
}

std::string WatchedMachine::Report() const {
  std::string report;
  if (unread_ != 0) {
    report = std::to_string(unread_) + (unread_ == 1 ? " file" : " files") + " could not be read" +
             (unread_ == 1 ? ": " : ", the first: ") + first_unread_;
  }
  for (const std::string& note : notes_) report.append(report.empty() ? "" : "; ").append(note);
  return report;
}

void WatchedMachine::Note(std::string_view text) {
  const bool known = std::find(notes_.begin(), notes_.end(), text) != notes_.end();
  if (!known && notes_.size() < kMaxNotes) notes_.emplace_back(text);
}

Result<std::string> WatchedMachine::ReadFile(const std::string& path, std::size_t max_bytes) {
  return Watch<std::string>(path, Kind::kAny, [&] { return machine_.ReadFile(path, max_bytes); });
}

Result<std::string> WatchedMachine::ReadRegular(const std::string& path, std::size_t max_bytes) {
  return Watch<std::string>(path, Kind::kRegular,
                            [&] { return machine_.ReadRegular(path, max_bytes); });
}

Result<std::unique_ptr<PieceReader>> WatchedMachine::OpenRegular(const std::string& path) {
  auto pieces = Watch<std::unique_ptr<PieceReader>>(path, Kind::kRegular,
                                                    [&] { return machine_.OpenRegular(path); });
  if (!pieces.ok()) return pieces;
  return std::unique_ptr<PieceReader>(
      std::make_unique<WatchedPieces>(std::move(pieces).value(), *this));
}

Result<std::string> WatchedMachine::ReadLink(const std::string& path) {
  return Watch<std::string>(path, Kind::kAny, [&] { return machine_.ReadLink(path); });
}

Result<std::vector<std::string>> WatchedMachine::List(const std::string& path) {
  return Watch<std::vector<std::string>>(path, Kind::kAny, [&] { return machine_.List(path); });
}

Result<FileStat> WatchedMachine::Stat(const std::string& path, Links links) {
  return Watch<FileStat>(path, Kind::kAny, [&] { return machine_.Stat(path, links); });
}

// Not counted: most file systems of the kernel have none, and say so with an errno of their own.
Result<std::vector<Attribute>> WatchedMachine::Attributes(const std::string& path) {
  if (IsOver()) return Late();
  return machine_.Attributes(path);
}

Result<FileHashes> WatchedMachine::Hash(const std::string& path, const Patience*) {
  return Watch<FileHashes>(path, Kind::kRegular, [&] { return machine_.Hash(path, this); });
}

Result<FileSystemStat> WatchedMachine::StatFileSystem(const std::string& path) {
  return Watch<FileSystemStat>(path, Kind::kAny, [&] { return machine_.StatFileSystem(path); });
}

Result<std::string> WatchedMachine::DumpNetwork(NetworkDump what) {
  if (IsOver()) return Late();
  return machine_.DumpNetwork(what);
}

Result<std::string> WatchedMachine::DumpIptables(const std::string& table) {
  if (IsOver()) return Late();
  return machine_.DumpIptables(table);
}

Result<std::string> WatchedMachine::AskSocket(const std::string& path, std::string_view request,
                                              std::size_t max_bytes) {
  if (IsOver()) return Late();
  return machine_.AskSocket(path, request, max_bytes);
}

Result<std::vector<BpfProgram>> WatchedMachine::LoadedBpfPrograms() {
  if (IsOver()) return Late();
  return machine_.LoadedBpfPrograms();
}

Result<std::string> WatchedMachine::ReadRules(const std::string& path) {
  if (IsOver()) return Late();
  return machine_.ReadRules(path);
}

Status WatchedMachine::CheckScanner(std::string_view rules) {
  if (IsOver()) return Late();
  return machine_.CheckScanner(rules);
}

// What is left of the query's time, if that is less.
std::chrono::milliseconds WatchedMachine::AtMost(std::chrono::milliseconds time) const {
  if (deadline_ == TimePoint::max()) return time;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), time);
}

Result<std::vector<RuleMatch>> WatchedMachine::Scan(const ScanTask& task) {
  const std::string what = task.path.empty() ? "pid " + std::to_string(task.pid) : task.path;
  ScanTask bounded = task;
  bounded.time = AtMost(task.time);
  return Watch<std::vector<RuleMatch>>(what, Kind::kRegular,
                                       [&] { return machine_.Scan(bounded); });
}

Result<FileKind> WatchedMachine::Describe(const std::string& path, std::chrono::milliseconds time) {
  return Watch<FileKind>(path, Kind::kRegular,
                         [&] { return machine_.Describe(path, AtMost(time)); });
}

bool WatchedMachine::Answers(std::int64_t pid) { return !IsOver() && machine_.Answers(pid); }

SystemFacts WatchedMachine::Facts() { return machine_.Facts(); }

}  // namespace holdfast::agent
