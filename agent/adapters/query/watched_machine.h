// WatchedMachine: passes on to another Machine until a point in time, and counts what could not be read.
//
// A table is one loop or more over what the machine has; whatever it does, past the end of the query's time every
// question fails at once, so its loop runs out. What may not or cannot be read never ends a query; the report says
// how much that was.
//
// Limits:    kMaxNotes notes; of what cannot be read the first is named.
// Ownership: borrows the Machine.
// Threading: thread-compatible.
// Errors:    kCancelled: the time is over; else those of the Machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/tables/machine.h"

namespace holdfast::agent {

class WatchedMachine : public Machine, public Patience {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMaxNotes = 4;

  explicit WatchedMachine(Machine& machine) : machine_(machine) {}
  void Begin(TimePoint deadline);  // of a query; forgets the one before
  bool IsOver() const override;    // the time
  // "2 files could not be read, the first: /etc/shadow: may not; ..."; empty when there is nothing to say.
  std::string Report() const;

  Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) override;
  Result<std::string> ReadRegular(const std::string& path, std::size_t max_bytes) override;
  Result<std::unique_ptr<PieceReader>> OpenRegular(const std::string& path) override;
  Result<std::string> ReadLink(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
  Result<FileStat> Stat(const std::string& path, Links links) override;
  Result<std::vector<Attribute>> Attributes(const std::string& path) override;
  Result<FileHashes> Hash(const std::string& path, const Patience* patience) override;
  Result<FileSystemStat> StatFileSystem(const std::string& path) override;
  Result<std::string> DumpNetwork(NetworkDump what) override;
  Result<std::string> DumpIptables(const std::string& table) override;
  Result<std::string> AskSocket(const std::string& path, std::string_view request,
                                std::size_t max_bytes) override;
  Result<std::vector<BpfProgram>> LoadedBpfPrograms() override;
  Result<std::string> ReadRules(const std::string& path) override;
  Status CheckScanner(std::string_view rules) override;
  Result<std::vector<RuleMatch>> Scan(const ScanTask& task) override;
  Result<FileKind> Describe(const std::string& path, std::chrono::milliseconds time) override;
  bool Answers(std::int64_t pid) override;
  SystemFacts Facts() override;
  void Note(std::string_view text) override;

 private:
  enum class Kind : std::uint8_t { kAny, kRegular };  // what had to be at a path
  void Count(const std::string& path, const Error& error, Kind kind);
  std::chrono::milliseconds AtMost(std::chrono::milliseconds time) const;
  template <typename Value, typename Ask>
  Result<Value> Watch(const std::string& path, Kind kind, Ask ask);

  Machine& machine_;
  TimePoint deadline_ = TimePoint::max();
  std::uint64_t unread_ = 0;
  std::string first_unread_;
  std::vector<std::string> notes_;
};

}  // namespace holdfast::agent
