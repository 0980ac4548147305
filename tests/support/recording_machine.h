// RecordingMachine: passes on to another Machine and counts what was asked, for tests of push-down.
// What no tree of files can say comes from its members.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/tables/machine.h"

namespace holdfast::agent {

class RecordingMachine : public Machine {
 public:
  explicit RecordingMachine(Machine& machine) : machine_(machine) {}
  Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) override {
    read.push_back(path);
    return machine_.ReadFile(path, max_bytes);
  }
  Result<std::string> ReadRegular(const std::string& path, std::size_t max_bytes) override {
    read.push_back(path);
    return machine_.ReadRegular(path, max_bytes);
  }
  Result<std::unique_ptr<PieceReader>> OpenRegular(const std::string& path) override {
    read.push_back(path);
    auto pieces = machine_.OpenRegular(path);
    if (!pieces.ok()) return pieces;
    return std::unique_ptr<PieceReader>(
        std::make_unique<Counted>(std::move(pieces).value(), piece_bytes));
  }
  Result<std::string> ReadLink(const std::string& path) override {
    links.push_back(path);
    return machine_.ReadLink(path);
  }
  Result<std::vector<std::string>> List(const std::string& path) override {
    listed.push_back(path);
    auto names = machine_.List(path);
    if (names.ok() && path == "/proc") {
      std::erase_if(names.value(), [&](const auto& name) { return unlisted.contains(name); });
    }
    return names;
  }
  Result<FileStat> Stat(const std::string& path, Links how) override {
    stats.push_back(path);
    return machine_.Stat(path, how);
  }
  Result<std::vector<Attribute>> Attributes(const std::string& path) override {
    attributes.push_back(path);
    return machine_.Attributes(path);
  }
  Result<FileHashes> Hash(const std::string& path, const Patience* patience) override {
    hashed.push_back(path);
    return machine_.Hash(path, patience);
  }
  Result<FileSystemStat> StatFileSystem(const std::string& path) override {
    room_asked.push_back(path);
    const auto found = rooms.find(path);
    if (found == rooms.end()) return Error{Code::kNotFound, "no such file system"};
    return found->second;
  }
  Result<std::string> DumpNetwork(NetworkDump what) override {
    const auto found = dumps.find(what);
    return found == dumps.end() ? machine_.DumpNetwork(what) : found->second;
  }
  Result<std::string> DumpIptables(const std::string& table) override {
    const auto found = filters.find(table);
    return found == filters.end() ? machine_.DumpIptables(table) : found->second;
  }
  Result<std::string> AskSocket(const std::string& path, std::string_view request,
                                std::size_t max_bytes) override {
    asked.emplace_back(request);
    return machine_.AskSocket(path, request, max_bytes);
  }
  Result<std::vector<BpfProgram>> LoadedBpfPrograms() override { return programs; }
  Status CheckScanner(std::string_view rules) override {
    scanner_asked.emplace_back(rules);
    return scanner;
  }
  Result<std::vector<RuleMatch>> Scan(const ScanTask& task) override {
    const std::string what = task.path.empty() ? "pid " + std::to_string(task.pid) : task.path;
    scanned.push_back(what);
    const auto found = matches.find(what);
    return found == matches.end() ? std::vector<RuleMatch>() : found->second;
  }
  Result<FileKind> Describe(const std::string& path, std::chrono::milliseconds) override {
    const auto found = kinds.find(path);
    if (found == kinds.end()) return FileKind{"ASCII text", "text/plain", "us-ascii"};
    return found->second;
  }
  bool Answers(std::int64_t pid) override { return answering.contains(pid); }
  SystemFacts Facts() override {
    return {.hostname = "fixture-host",
            .machine = "x86_64",
            .ticks_per_second = 100,
            .pid = 50,
            .unix_time = 1'700'093'785,
            .time_zone = "CET",
            .agent_state = ""};
  }

  std::vector<std::string> read, links, listed, stats, hashed, attributes, room_asked, asked;
  std::map<std::string, std::string> filters;  // what the kernel says of a table of iptables
  Result<std::vector<BpfProgram>> programs = std::vector<BpfProgram>();
  std::map<std::string, FileSystemStat> rooms;  // by mount point
  std::map<NetworkDump, std::string> dumps;
  std::vector<std::string> scanner_asked, scanned;  // rules; paths and "pid N"
  Status scanner = Ok();
  std::map<std::string, Result<std::vector<RuleMatch>>> matches;  // by path or "pid N"
  std::map<std::string, Result<FileKind>> kinds;
  std::size_t piece_bytes = 0;       // read of files that are read in pieces
  std::set<std::int64_t> answering;  // pids that a signal finds
  std::set<std::string> unlisted;    // that /proc does not list, though they are there

 private:
  class Counted : public PieceReader {
   public:
    Counted(std::unique_ptr<PieceReader> pieces, std::size_t& bytes)
        : pieces_(std::move(pieces)), bytes_(bytes) {}
    std::size_t ReadAt(std::uint64_t offset, std::span<char> out) override {
      const std::size_t got = pieces_->ReadAt(offset, out);
      bytes_ += got;
      return got;
    }

   private:
    std::unique_ptr<PieceReader> pieces_;
    std::size_t& bytes_;
  };
  Machine& machine_;
};

}  // namespace holdfast::agent
