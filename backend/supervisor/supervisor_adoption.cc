// Supervisor's fifth part: gateways that a supervisor before us has started, and that hold links.
#include <algorithm>
#include <string>
#include <utility>

#include "backend/adapters/linux/files.h"
#include "backend/supervisor/supervisor.h"

namespace holdfast::backend {
namespace {

// Does it run what we would start, on what we would start it with? Live settings it is told.
bool IsOurs(const Orphan& orphan, const Config& config) {
  constexpr std::size_t kMaxBytes = std::size_t{1024} * 1024;  // as LoadConfig()
  const auto program = OwnProgram();
  if (!program.ok() || program.value() != orphan.introduction.program) return false;
  const auto text =
      ReadWholeFile("/proc/self/fd/" + std::to_string(orphan.config.get()), kMaxBytes);
  if (!text.ok()) return false;
  const auto before = ParseConfig(text.value(), config.file);
  if (!before.ok()) return false;
  const auto changed = ChangedKeys(before.value(), config);
  return std::ranges::all_of(
      changed, [](const ConfigKey* key) { return key->change == ConfigKey::Change::kLive; });
}

}  // namespace

Child* Supervisor::PlaceOf(const Orphan& orphan) {
  if (stopping_ || !IsOurs(orphan, config_)) return nullptr;
  const auto found = std::ranges::find_if(gateways_, [&orphan](const auto& gateway) {
    return gateway->spec().slot == orphan.introduction.slot && gateway->starts() == 0;
  });
  return found == gateways_.end() ? nullptr : found->get();
}

void Supervisor::OnOrphan(Orphan orphan) {
  const std::string slot = orphan.introduction.slot;
  Child* place = PlaceOf(orphan);
  std::unique_ptr<Child> stranger;
  if (place == nullptr) {
    Child::Spec spec = WorkerSpec("gateway", slot);
    ChildDelegate& here = *this;
    stranger = std::make_unique<Child>(loop_, std::move(spec), log_, here);
    place = stranger.get();
  }
  const Status adopted = place->Adopt(std::move(orphan));
  if (!adopted.ok()) {
    // Its channel is closed with that: it comes again.
    log_.Write(LogLine(LogLevel::kError, "not_adopted").Id("slot", slot).Err(adopted.error()));
    return;
  }
  if (stranger) {
    // Of another version or configuration, or one too many: its links move.
    const auto window = LeaveWindow(stranger->links());
    log_.Write(LogLine(LogLevel::kInfo, "orphan_leaves")
                   .Id("slot", slot)
                   .Num("links", static_cast<std::int64_t>(stranger->links()))
                   .Num("window_s", window.count()));
    SendAway(std::move(stranger), window);
  }
  const bool all_here =
      std::ranges::none_of(gateways_, [](const auto& gateway) { return gateway->starts() == 0; });
  if (adopting_until_ && all_here) EndAdopting();
}

void Supervisor::EndAdopting() {
  adopting_until_.reset();
  if (stopping_) return;
  for (const auto& gateway : gateways_) {
    if (gateway->starts() == 0) gateway->Start();
  }
}

}  // namespace holdfast::backend
