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
  Result<FileHashes> Hash(const std::string& path) override {
    hashed.push_back(path);
    return machine_.Hash(path);
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
  bool Answers(std::int64_t pid) override { return answering.contains(pid); }
  SystemFacts Facts() override {
    return {.hostname = "fixture-host",
            .machine = "x86_64",
            .ticks_per_second = 100,
            .pid = 50,
            .unix_time = 1'700'093'785,
            .time_zone = "CET"};
  }

  std::vector<std::string> read, links, listed, stats, hashed, attributes, room_asked;
  std::map<std::string, FileSystemStat> rooms;  // by mount point
  std::map<NetworkDump, std::string> dumps;
  std::set<std::int64_t> answering;  // pids that a signal finds
  std::set<std::string> unlisted;    // that /proc does not list, though they are there

 private:
  Machine& machine_;
};

}  // namespace holdfast::agent
