#include "backend/core/control_ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/sign/envelope.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::backend {
namespace {

using ::holdfast::command::v1::COMMAND_FAILURE_NOT_DELIVERED;
using ::holdfast::command::v1::OUTCOME_DONE;
using ::holdfast::command::v1::OUTCOME_EXPIRED;
using ::holdfast::command::v1::OUTCOME_INTERRUPTED;

// How far a delivery has come. UNKNOWN is SENT with less hope: a receipt still moves it on.
int Rank(DeliveryState state) {
  switch (state) {
    case DeliveryState::kAccepted: return 0;
    case DeliveryState::kSent: return 1;
    case DeliveryState::kUnknown: return 2;
    case DeliveryState::kReceived: return 3;
    case DeliveryState::kStarted: return 4;
    case DeliveryState::kEnded: return 5;
  }
  HF_UNREACHABLE("state of a delivery");
}

// "done", "expired not_delivered", ...: the catalogue's names, for the audit.
std::string Lower(std::string_view name, std::string_view prefix) {
  std::string out(name.substr(std::min(prefix.size(), name.size())));
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

// As it was signed. It was checked when it was accepted.
std::optional<::holdfast::command::v1::Command> AsSigned(const CommandRow& command) {
  const auto envelope = sign::ParseEnvelope(command.envelope, sign::kCommandType);
  ::holdfast::command::v1::Command parsed;
  if (!envelope.ok() || !parsed.ParseFromString(envelope.value().payload())) return std::nullopt;
  return parsed;
}

// What a command cancels, if it does.
std::optional<Digest> TargetOfCancel(const CommandRow& command) {
  if (command.verb != "cancel") return std::nullopt;
  const auto parsed = AsSigned(command);
  return parsed ? Digest::From(parsed->cancel().digest()) : std::nullopt;
}

std::optional<RingTerms> RingOf(const CommandRow& command) {
  constexpr std::uint64_t kSilentMs = 300'000;  // command.proto
  if (command.verb != "update") return std::nullopt;
  const auto parsed = AsSigned(command);
  if (!parsed) return std::nullopt;
  RingTerms terms;
  for (const std::string& digest : parsed->update().after()) {
    if (const auto before = Digest::From(digest)) terms.after.push_back(*before);
  }
  terms.silent_ms = parsed->update().silent_ms() == 0 ? kSilentMs : parsed->update().silent_ms();
  terms.is_released = terms.after.empty();
  return terms;
}

}  // namespace

Status Ledger::Load(Store& store) {
  HF_ASSIGN_OR_RETURN(std::vector<CommandRow> commands, store.LoadOpenCommands());
  HF_ASSIGN_OR_RETURN(std::vector<DeliveryRow> deliveries, store.LoadOpenDeliveries());
  std::map<Digest, std::size_t> place;
  for (CommandRow& command : commands) {
    const Digest digest = command.digest;
    place.emplace(digest, place.size());
    commands_.Load(digest, std::move(command));
  }
  for (const DeliveryRow& row : deliveries) {
    if (!place.contains(row.digest)) return Error{Code::kCorrupt, "a delivery without its command"};
  }
  // By acceptance, so that each agent's queue is in order. Clocks are set back, and a millisecond is long.
  std::ranges::stable_sort(deliveries, {},
                           [&place](const DeliveryRow& row) { return place.at(row.digest); });
  for (DeliveryRow& row : deliveries) {
    const CommandRow* command = commands_.Find(row.digest);
    const DeliveryKey key{row.digest, row.agent_id};
    deliveries_.Load(key, std::move(row));
    AddToIndexes(*command, key.agent);
  }
  return Ok();
}

Status Ledger::Admit(const std::vector<AgentId>& targets, std::size_t envelope_bytes) const {
  if (open_deliveries_ + targets.size() > options_.max_open_deliveries ||
      open_envelope_bytes_ + envelope_bytes > options_.max_open_envelope_bytes) {
    return Error{Code::kExhausted, "the ledger is full of open commands"};
  }
  for (const AgentId& agent : targets) {
    const auto found = work_.find(agent);
    if (found == work_.end()) continue;
    const Work& work = found->second;
    if (work.open.size() >= options_.max_open_per_agent) {
      return Error{Code::kExhausted, "agent " + agent.hex() + " has " +
                                         std::to_string(work.open.size()) + " open commands"};
    }
    if (work.open_bytes + envelope_bytes > options_.max_open_bytes_per_agent) {
      return Error{Code::kExhausted, "agent " + agent.hex() + " has " +
                                         std::to_string(work.open_bytes) +
                                         " bytes of open commands"};
    }
  }
  return Ok();
}

void Ledger::Accept(CommandRow command, const std::vector<AgentId>& targets, Moment now) {
  const Digest digest = command.digest;
  command.accepted_ms = now.wall_ms();
  command.targets = static_cast<std::uint32_t>(targets.size());
  const CommandRow& stored = commands_.Insert(digest, std::move(command));
  for (const AgentId& agent : targets) {
    DeliveryRow row;
    row.digest = digest;
    row.agent_id = agent;
    row.accepted_ms = now.wall_ms();
    deliveries_.Insert({digest, agent}, std::move(row));
    AddToIndexes(stored, agent);
  }
  AuditEntry entry{stored.operator_id, "command.accepted", digest.str(), {}, {}};
  // A command for one agent is found under that agent, too.
  if (targets.size() == 1) entry.agent_id = targets.front().str();
  entry.detail = stored.detail + " (targets: " + std::to_string(targets.size()) + ")";
  audit_.Append(std::move(entry), now);
}

void Ledger::AddToIndexes(const CommandRow& command, const AgentId& agent) {
  Work& work = work_[agent];
  work.open.push_back(command.digest);
  work.open_bytes += command.envelope.size();
  auto& targets = targets_[command.digest];
  if (targets.empty()) {
    if (const auto target = TargetOfCancel(command)) cancels_[command.digest] = *target;
    if (auto ring = RingOf(command)) rings_[command.digest] = *std::move(ring);
    by_id_[command.command_id] = command.digest;
    by_expiry_.emplace(command.not_after_ms, command.digest);
    open_envelope_bytes_ += command.envelope.size();
  }
  if (cancels_.contains(command.digest)) work.cancels.push_back(command.digest);
  targets.insert(agent);
  ++open_deliveries_;
}

void Ledger::DropFromIndexes(const DeliveryKey& key) {
  const auto targets = targets_.find(key.digest);
  if (targets == targets_.end() || targets->second.erase(key.agent) == 0) return;
  --open_deliveries_;
  const CommandRow& command = *commands_.Find(key.digest);
  const auto work = work_.find(key.agent);
  HF_CHECK(work != work_.end());
  auto& open = work->second.open;
  open.erase(std::find(open.begin(), open.end(), key.digest));
  std::erase(work->second.cancels, key.digest);
  work->second.open_bytes -= command.envelope.size();
  if (open.empty()) work_.erase(work);
  if (!targets->second.empty()) return;
  targets_.erase(targets);
  cancels_.erase(key.digest);
  rings_.erase(key.digest);
  by_id_.erase(command.command_id);
  by_expiry_.erase({command.not_after_ms, key.digest});
  open_envelope_bytes_ -= command.envelope.size();
}

void Ledger::SetState(const DeliveryKey& key, DeliveryState state, Moment now) {
  DeliveryRow& row = deliveries_.Change(key);
  HF_CHECK(Rank(state) >= Rank(row.state) && !row.ended());
  row.state = state;
  const std::uint64_t ms = now.wall_ms();
  switch (state) {
    case DeliveryState::kSent: row.sent_ms = ms; break;
    case DeliveryState::kReceived: row.received_ms = ms; break;
    case DeliveryState::kStarted: row.started_ms = ms; break;
    case DeliveryState::kEnded: row.ended_ms = ms; break;
    case DeliveryState::kAccepted:
    case DeliveryState::kUnknown: break;
  }
}

void Ledger::Audit(std::string_view action, const DeliveryKey& key, std::string actor,
                   std::string detail, Moment now) {
  audit_.Append({std::move(actor), action, key.digest.str(), key.agent.str(), std::move(detail)},
                now);
}

bool Ledger::MarkSent(const DeliveryKey& key, Moment now) {
  const DeliveryRow* row = deliveries_.Find(key);
  if (row == nullptr || row->ended()) return false;
  if (row->state == DeliveryState::kAccepted) {
    SetState(key, DeliveryState::kSent, now);
    Audit("command.sent", key, "control", {}, now);
  }
  ++deliveries_.Change(key).sends;
  return true;
}

bool Ledger::MarkReceived(const DeliveryKey& key, Moment now) {
  const DeliveryRow* row = deliveries_.Find(key);
  if (row == nullptr || Rank(row->state) >= Rank(DeliveryState::kReceived)) return false;
  SetState(key, DeliveryState::kReceived, now);
  Audit("command.received", key, key.agent.hex(), {}, now);
  return true;
}

bool Ledger::MarkStarted(const DeliveryKey& key, std::uint32_t attempt, Moment now) {
  const DeliveryRow* row = deliveries_.Find(key);
  if (row == nullptr || row->ended()) return false;
  // A later attempt's stream begins with Started: the first one's Received may never have come.
  MarkReceived(key, now);
  SetState(key, DeliveryState::kStarted, now);
  Audit("command.started", key, key.agent.hex(),
        attempt > 1 ? "attempt " + std::to_string(attempt) : std::string(), now);
  return true;
}

bool Ledger::End(const DeliveryKey& key, Ending ending, Moment now) {
  const DeliveryRow* row = deliveries_.Find(key);
  if (row == nullptr || row->ended()) return false;
  const bool by_agent = !ending.result_envelope.empty();
  // That it had started is in the agent's journal; the records that said so may have died with it.
  if (by_agent && ending.outcome == OUTCOME_INTERRUPTED &&
      Rank(row->state) < Rank(DeliveryState::kStarted)) {
    MarkStarted(key, 1, now);
  }
  std::string detail = Lower(Outcome_Name(ending.outcome), "OUTCOME_");
  if (ending.failure != ::holdfast::command::v1::COMMAND_FAILURE_UNSPECIFIED) {
    detail += " " + Lower(CommandFailure_Name(ending.failure), "COMMAND_FAILURE_");
  }
  SetState(key, DeliveryState::kEnded, now);
  DeliveryRow& changed = deliveries_.Change(key);
  if (by_agent) detail += " bytes=" + std::to_string(changed.stored_bytes);
  changed.outcome = ending.outcome;
  changed.failure = ending.failure;
  changed.message = std::move(ending.message);
  changed.result_envelope = std::move(ending.result_envelope);
  if (commands_.Find(key.digest) != nullptr) {
    CommandRow& command = commands_.Change(key.digest);
    ++command.ended;
    if (changed.outcome == OUTCOME_DONE) ++command.succeeded;
  }
  Audit("command.ended", key, by_agent ? key.agent.hex() : "control", std::move(detail), now);
  return true;
}

void Ledger::SweepExpired(Moment now) {
  while (!by_expiry_.empty() && by_expiry_.begin()->first < now.wall_ms()) {
    const Digest digest = by_expiry_.begin()->second;
    by_expiry_.erase(by_expiry_.begin());
    late_commands_.insert(digest);
    const auto targets = targets_.find(digest);
    if (targets == targets_.end()) continue;
    for (const AgentId& agent : targets->second) {
      const DeliveryKey key{digest, agent};
      const DeliveryState state = deliveries_.Find(key)->state;
      if (state == DeliveryState::kAccepted) {
        End(key,
            {OUTCOME_EXPIRED,
             COMMAND_FAILURE_NOT_DELIVERED,
             "expired before the agent could be reached",
             {}},
            now);
      } else if (state == DeliveryState::kSent) {
        SetState(key, DeliveryState::kUnknown, now);
      }
    }
  }
}

void Ledger::EndAllOf(const AgentId& agent, const Ending& ending, bool only_sent, Moment now) {
  const std::deque<Digest> open = OpenOf(agent);
  for (const Digest& digest : open) {
    const DeliveryKey key{digest, agent};
    if (only_sent && deliveries_.Find(key)->state == DeliveryState::kAccepted) continue;
    End(key, ending, now);
  }
}

void Ledger::LoadLate(DeliveryRow row) {
  const DeliveryKey key{row.digest, row.agent_id};
  if (deliveries_.Find(key) == nullptr) deliveries_.Load(key, std::move(row));
}

void Ledger::ForgetLate(const DeliveryKey& key) {
  const DeliveryRow* row = deliveries_.Find(key);
  if (row != nullptr && row->ended() && !deliveries_.changes().contains(key))
    deliveries_.Evict(key);
}

const CommandRow* Ledger::FindCommandById(const CommandId& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : commands_.Find(found->second);
}

const std::deque<Digest>& Ledger::OpenOf(const AgentId& agent) const {
  static const std::deque<Digest> none;
  const auto found = work_.find(agent);
  return found == work_.end() ? none : found->second.open;
}

const std::deque<Digest>& Ledger::CancelsOf(const AgentId& agent) const {
  static const std::deque<Digest> none;
  const auto found = work_.find(agent);
  return found == work_.end() ? none : found->second.cancels;
}

const Digest* Ledger::CancelledBy(const Digest& cancel) const {
  const auto found = cancels_.find(cancel);
  return found == cancels_.end() ? nullptr : &found->second;
}

std::vector<AgentId> Ledger::AgentsWithWork() const {
  std::vector<AgentId> out;
  out.reserve(work_.size());
  for (const auto& [agent, work] : work_) out.push_back(agent);
  return out;
}

std::vector<AgentId> Ledger::OpenTargetsOf(const Digest& digest) const {
  std::vector<AgentId> out;
  const auto targets = targets_.find(digest);
  if (targets == targets_.end()) return out;
  for (const AgentId& agent : targets->second) {
    if (!deliveries_.Find({digest, agent})->ended()) out.push_back(agent);
  }
  return out;
}

Status Ledger::WriteChanges(Store& store) const {
  for (const auto& [digest, before] : commands_.changes()) {
    const CommandRow& row = *commands_.Find(digest);
    if (!before) HF_TRY(store.InsertCommand(row));
    if (before || row.ended > 0) HF_TRY(store.PutCommandCounts(digest, row.ended, row.succeeded));
  }
  return deliveries_.WriteChanged(
      [&store](const DeliveryRow& row) { return store.PutDelivery(row); });
}

std::vector<DeliveryKey> Ledger::ChangedKeys() const {
  std::vector<DeliveryKey> changed;
  for (const auto& [key, before] : deliveries_.changes()) changed.push_back(key);
  return changed;
}

std::vector<DeliveryKey> Ledger::Keep() {
  std::vector<DeliveryKey> changed = ChangedKeys();
  deliveries_.Keep();
  commands_.Keep();
  late_commands_.clear();
  for (const DeliveryKey& key : changed) {
    const DeliveryRow& row = *deliveries_.Find(key);
    if (!row.ended()) continue;
    DropFromIndexes(key);
    if (!targets_.contains(key.digest) && commands_.Find(key.digest) != nullptr) {
      commands_.Evict(key.digest);
    }
    deliveries_.Evict(key);
  }
  return changed;
}

void Ledger::Undo() {
  // What this turn accepted leaves the indexes while its rows are still there to be asked.
  for (const auto& [key, before] : deliveries_.changes()) {
    if (!before) DropFromIndexes(key);
  }
  deliveries_.Undo();
  commands_.Undo();
  for (const Digest& digest : late_commands_) {
    const CommandRow* command = commands_.Find(digest);
    if (command != nullptr) by_expiry_.emplace(command->not_after_ms, digest);
  }
  late_commands_.clear();
}

}  // namespace holdfast::backend
