#include "agent/app/isolation_state.h"

#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/linux/nft_fence.h"

namespace holdfast::agent {
namespace {

constexpr char kBootId[] = "/proc/sys/kernel/random/boot_id";

}  // namespace

bool IsIsolated(const StateDir& dir) {
  struct stat found {};
  return ::stat(dir.PathOf(kIsolationFile).c_str(), &found) == 0 || errno != ENOENT;
}

Status EndIsolation(const StateDir& dir) {
  if (!IsIsolated(dir)) return Ok();
  HF_TRY(NftFence().Open());
  return IsolationState(dir).Remove();
}

Result<std::string> IsolationState::Load() {
  return dir_.ReadFile(kIsolationFile, kMaxIsolationBytes);
}

Status IsolationState::Save(std::string_view bytes) {
  return dir_.WriteFile(kIsolationFile, bytes);
}

Status IsolationState::Remove() { return dir_.RemoveFile(kIsolationFile); }

bool IsolationState::TakeReleaseRequest() {
  return ::unlink(dir_.PathOf(kReleaseFile).c_str()) == 0;
}

// Empty where there is no /proc: then every start counts as another.
std::string IsolationState::BootId() {
  auto text = ReadWholeFile(kBootId, 64);
  if (!text.ok()) return {};
  return text.value().substr(0, text.value().find('\n'));
}

Status IsolationState::AskForRelease() { return dir_.WriteFile(kReleaseFile, "\n"); }

Result<std::optional<IsolationTerms>> IsolationState::Read(Moment at) {
  const auto text = Load();
  if (!text.ok() && text.error().code == Code::kNotFound) return std::optional<IsolationTerms>();
  if (!text.ok()) return text.error();
  HF_ASSIGN_OR_RETURN(IsolationRecord record, ParseIsolation(text.value(), BootId(), at));
  return record.trial ? std::move(record.trial) : std::move(record.held);
}

}  // namespace holdfast::agent
