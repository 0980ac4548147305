// IsolationState: the IsolationFile in the state directory.
//
//   <state>/isolation           the record (agent/core/isolation_record.h); there while the machine is isolated
//   <state>/isolation.release   somebody at the machine wants it to end: `holdfast-agent release`
//
// Ownership: borrows the state directory.
// Errors:    as IsolationFile has them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/adapters/linux/state_dir.h"
#include "agent/core/fence.h"
#include "agent/core/isolation_record.h"

namespace holdfast::agent {

inline constexpr std::string_view kIsolationFile = "isolation";
inline constexpr std::string_view kReleaseFile = "isolation.release";

bool IsIsolated(const StateDir& dir);
// For who does it without an agent, whose memory would know better. Ok also if there is none.
Status EndIsolation(const StateDir& dir);

class IsolationState final : public IsolationFile {
 public:
  explicit IsolationState(const StateDir& dir) : dir_(dir) {}
  Result<std::string> Load() override;
  Status Save(std::string_view bytes) override;
  Status Remove() override;
  bool TakeReleaseRequest() override;
  std::string BootId() override;

  Status AskForRelease();
  // For who only looks: nullopt if the machine is not isolated.
  Result<std::optional<IsolationTerms>> Read(Moment at);

 private:
  const StateDir& dir_;
};

}  // namespace holdfast::agent
