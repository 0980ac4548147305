// FakeUpdateFile: a record of updates that survives the agent, and says which program runs.
//
// Threading: thread-compatible.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/core/update_file.h"
#include "tests/support/fake_journal.h"

namespace holdfast::testing {

class FakeUpdateFile final : public agent::UpdateFile {
 public:
  const agent::RunningProgram& running() const override { return program; }
  Result<std::string> Load() override {
    if (!bytes) return Error{Code::kNotFound, "no record"};
    return *bytes;
  }
  Status Save(std::string_view text) override {
    if (refuse) return *refuse;
    const bool is_last = disk != nullptr && ++disk->writes == disk->crash_at;
    if (disk != nullptr && (disk->is_crashed || is_last)) {
      if (is_last && disk->crash_after) bytes = text;
      disk->is_crashed = true;
      return Error{Code::kUnavailable, "the power is off"};
    }
    bytes = text;
    ++saves;
    return Ok();
  }
  void StopTimer() override { is_timer_stopped = true; }
  void Tidy(const agent::UpdateRecord& record) override { tidied = record; }

  agent::UpdateRecord record() const { return agent::ParseUpdate(*bytes).value(); }

  agent::RunningProgram program{"0.1.0", "amd64", false};
  std::optional<std::string> bytes;
  std::optional<Error> refuse;
  FakeDisk* disk = nullptr;  // that loses power at a write, the journal's or ours
  std::optional<agent::UpdateRecord> tidied;
  bool is_timer_stopped = false;
  int saves = 0;
};

}  // namespace holdfast::testing
