// ProcfsMachine: the Machine that is this one, or a tree of files that stands for one in tests.
//
// Limits:    see Machine; a symbolic link's target is at most PATH_MAX bytes.
// Threading: thread-compatible.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/tables/machine.h"

namespace holdfast::agent {

class ProcfsMachine : public Machine {
 public:
  // `root` goes before every path: "" for the real machine. No "/" at its end. `agent_state`: as SystemFacts has it.
  explicit ProcfsMachine(std::string root = "", std::string agent_state = "")
      : root_(std::move(root)), agent_state_(std::move(agent_state)) {}
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
  bool Answers(std::int64_t pid) override;
  SystemFacts Facts() override;

 private:
  std::string root_;
  std::string agent_state_;
};

}  // namespace holdfast::agent
