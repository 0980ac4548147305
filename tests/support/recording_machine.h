// RecordingMachine: passes on to another Machine and counts what was asked, for tests of push-down.
#pragma once

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
    return machine_.List(path);
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
  SystemFacts Facts() override { return {"fixture-host", "x86_64", 100}; }

  std::vector<std::string> read, links, listed, stats, hashed, attributes;

 private:
  Machine& machine_;
};

}  // namespace holdfast::agent
