// UpdateState: the UpdateFile in the state directory, and the start of the programs that it names.
//
//   <state>/update                          the record (agent/core/update_record.h)
//   <state>/programs/holdfast-agent-0.2.0   what was fetched and may run
//
// The packaged program is always the first that runs, whoever starts the agent: it looks at the record and becomes the
// program that it names (execve: same process, same number, so no service manager notices). That one learns by
// kPackagedVariable what to become again when it ends for another. A program on trial runs under a timer of the
// kernel's (alarm(2)), which execve keeps: one that hangs is ended too.
//
// Ordering:  a start of a trial is counted on the disk before it.
// Ownership: borrows the state directory.
// Threading: loop thread only.
// Errors:    whatever cannot be read, checked or run is not run: the one before it is, at last the packaged one.
// Design:    docs/decisions/0115-self-update.md
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/adapters/linux/state_dir.h"
#include "agent/core/update_file.h"

namespace holdfast::agent {

inline constexpr std::string_view kUpdateFile = "update";
inline constexpr char kPackagedVariable[] = "HOLDFAST_AGENT_PACKAGED";

// Which one this is; `version`: its own.
RunningProgram ThisProgram(std::string_view version);

enum class StartFor : unsigned char {
  kRun,   // the agent: a trial may begin
  kLook,  // anything else that reads what the agent wrote: what has proven itself
};
// Becomes the program that the record names, with the same words; returns if this is the one.
void BecomeChosenProgram(const std::string& state, std::string_view version, StartFor what,
                         std::span<char*> argv);
// Becomes the packaged program, for it to choose anew. Returns if that fails.
Error BecomePackagedProgram(std::span<char*> argv);

class UpdateState final : public UpdateFile {
 public:
  UpdateState(const StateDir& dir, RunningProgram running)
      : dir_(dir), running_(std::move(running)) {}
  const RunningProgram& running() const override { return running_; }
  Result<std::string> Load() override;
  Status Save(std::string_view bytes) override;
  void StopTimer() override;
  void Tidy(const UpdateRecord& record) override;

 private:
  const StateDir& dir_;
  const RunningProgram running_;
};

// For who only looks; an empty record if there is none.
Result<UpdateRecord> ReadUpdateRecord(const StateDir& dir);

}  // namespace holdfast::agent
