#include "backend/core/control_rollouts.h"

#include <utility>

namespace holdfast::backend {

std::vector<Digest> Rollouts::Judge(Moment now) {
  std::vector<std::pair<Digest, Verdict>> verdicts;
  for (const auto& [digest, terms] : ledger_.rings()) {
    if (!terms.after.empty()) verdicts.emplace_back(digest, JudgeOne(terms, now));
  }
  std::vector<Digest> halted;
  for (const auto& [digest, verdict] : verdicts) {
    ledger_.SetReleased(digest, verdict == Verdict::kGo);
    if (verdict != Verdict::kHalt) continue;
    const std::vector<Digest> before = ledger_.rings().at(digest).after;
    const std::size_t open = ledger_.OpenTargetsOf(digest).size();
    HaltWaiting(digest, now);
    for (const Digest& earlier : before) HaltWaiting(earlier, now);
    if (ledger_.OpenTargetsOf(digest).size() < open) halted.push_back(digest);
  }
  return halted;
}

Rollouts::Verdict Rollouts::JudgeOne(const RingTerms& terms, Moment now) const {
  std::uint64_t targets = 0;
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
  std::uint64_t open = 0;
  for (const Digest& digest : terms.after) {
    const CommandRow* in_memory = ledger_.FindCommand(digest);
    const auto stored = in_memory != nullptr ? Result<std::optional<CommandRow>>(*in_memory)
                                             : store_.FindCommand(digest);
    if (!stored.ok() || !stored.value()) return Verdict::kWait;
    const CommandRow& row = *stored.value();
    targets += row.targets;
    good += row.succeeded;
    bad += row.ended - row.succeeded;
    for (const AgentId& agent : ledger_.OpenTargetsOf(digest)) {
      const DeliveryRow* delivery = ledger_.Find({digest, agent});
      if (delivery == nullptr || delivery->state == DeliveryState::kAccepted) continue;
      const bool is_silent =
          now.wall_ms() > delivery->sent_ms && now.wall_ms() - delivery->sent_ms > terms.silent_ms;
      ++(is_silent ? bad : open);
    }
  }
  if (bad * 100 > targets * kMaxBadPercent) return Verdict::kHalt;
  return good > 0 && open == 0 ? Verdict::kGo : Verdict::kWait;
}

// What was handed over is its agent's to end.
void Rollouts::HaltWaiting(const Digest& digest, Moment now) {
  for (const AgentId& agent : ledger_.OpenTargetsOf(digest)) {
    const DeliveryKey key{digest, agent};
    if (ledger_.Find(key)->state != DeliveryState::kAccepted) continue;
    ledger_.End(key,
                {::holdfast::command::v1::OUTCOME_REFUSED,
                 ::holdfast::command::v1::COMMAND_FAILURE_HALTED,
                 "halted: more than one in a hundred of an earlier ring did not come back with the "
                 "new program",
                 {}},
                now);
  }
}

}  // namespace holdfast::backend
