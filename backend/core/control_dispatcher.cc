#include "backend/core/control_dispatcher.h"

#include <algorithm>
#include <utility>

namespace holdfast::backend {
namespace {

bool HasReceipt(DeliveryState state) {
  return state == DeliveryState::kReceived || state == DeliveryState::kStarted;
}

}  // namespace

void Dispatcher::OnAlive(const DeliveryKey& key) {
  const LinkAt* link = sessions_.FindLink(key.agent);
  if (link != nullptr) sendings_[key].epoch = link->epoch;
}

void Dispatcher::OnResumed(const AgentId& agent) {
  due_.insert(agent);
  for (const Digest& digest : ledger_.OpenOf(agent)) {
    const auto found = sendings_.find({digest, agent});
    if (found == sendings_.end() || HasReceipt(ledger_.Find({digest, agent})->state)) continue;
    found->second.epoch = 0;  // as if it had been sent in another session
  }
}

void Dispatcher::OnSweep() {
  for (const AgentId& agent : ledger_.AgentsWithWork()) {
    if (sessions_.online(agent)) due_.insert(agent);
  }
}

bool Dispatcher::Due(const DeliveryRow& row, const Sending* sending, const LinkAt& link,
                     Moment now) const {
  const bool sent_here = sending != nullptr && sending->epoch == link.epoch;
  // A live stream shows itself by a Sync when the link opens. If it does not, we ask once a session.
  if (HasReceipt(row.state)) return !sent_here && now.at - link.since >= options_.first_repeat;
  if (!sent_here) return true;
  const Duration age = now.at - sending->at;
  return age >= (sending->times <= 1 ? options_.first_repeat : options_.repeat);
}

void Dispatcher::PlanOne(const DeliveryKey& key, const DeliveryRow& row, const LinkAt& link,
                         Moment now) {
  const auto found = sendings_.find(key);
  const Sending* sending = found == sendings_.end() ? nullptr : &found->second;
  if (!Due(row, sending, link, now)) return;
  if (HasReceipt(row.state)) {
    sendings_[key].epoch = link.epoch;
    questions_.push_back(key);
    return;
  }
  if (row.sends == 0) first_.insert({link.gateway(), key.digest});
  ledger_.MarkSent(key, now);
  Sending& mark = sendings_[key];
  mark.times = mark.epoch == link.epoch ? mark.times + 1 : 1;
  mark.epoch = link.epoch;
  mark.at = now.at;
  auto& agents = plan_[{link.gateway(), key.digest}];
  if (agents.empty()) plan_order_.emplace_back(link.gateway(), key.digest);
  agents.push_back(key.agent);
}

// What was handed over is the front of the queue: all that counts lies within the first places.
void Dispatcher::PlanAgent(const AgentId& agent, const LinkAt& link, Moment now) {
  std::size_t at_agent = 0;
  std::size_t unreceipted = 0;
  std::size_t unknown = 0;
  for (const Digest& digest : ledger_.OpenOf(agent)) {
    if (at_agent >= options_.max_at_agent) break;
    const DeliveryKey key{digest, agent};
    const DeliveryRow* row = ledger_.Find(key);
    if (row == nullptr || row->ended() || ledger_.CancelledBy(digest) != nullptr) continue;
    // One that was handed over before is followed up; none goes out anew.
    if (row->state == DeliveryState::kAccepted && ledger_.IsHeldBack(digest)) continue;
    if (row->state == DeliveryState::kUnknown) {
      // Asked about beside the others: an agent that never answers for them still gets what is new.
      if (++unknown <= options_.max_unreceipted) PlanOne(key, *row, link, now);
      continue;
    }
    ++at_agent;
    if (!HasReceipt(row->state) && ++unreceipted > options_.max_unreceipted) continue;
    PlanOne(key, *row, link, now);
  }
}

void Dispatcher::PlanCancels(const AgentId& agent, const LinkAt& link, Moment now) {
  std::size_t unreceipted = 0;
  for (const Digest& digest : ledger_.CancelsOf(agent)) {
    const DeliveryKey key{digest, agent};
    const DeliveryRow* row = ledger_.Find(key);
    if (row == nullptr || row->ended() || IsHeld(digest, agent)) continue;
    if (!HasReceipt(row->state) && ++unreceipted > options_.max_unreceipted) break;
    PlanOne(key, *row, link, now);
  }
}

bool Dispatcher::IsHeld(const Digest& digest, const AgentId& agent) const {
  const Digest* cancelled = ledger_.CancelledBy(digest);
  if (cancelled == nullptr) return false;
  const DeliveryRow* target = ledger_.Find({*cancelled, agent});
  return target != nullptr && !target->ended() && !HasReceipt(target->state);
}

void Dispatcher::Plan(Moment now) {
  for (const AgentId& agent : std::exchange(due_, {})) {
    const LinkAt* link = sessions_.FindLink(agent);
    if (link == nullptr) continue;
    PlanAgent(agent, *link, now);
    PlanCancels(agent, *link, now);
  }
}

std::vector<Dispatcher::Send> Dispatcher::TakeSends() {
  std::vector<Send> out;
  for (const auto& target : std::exchange(plan_order_, {})) {
    const std::vector<AgentId>& agents = plan_.at(target);
    for (std::size_t from = 0; from < agents.size(); from += options_.max_agents_per_send) {
      const std::size_t to = std::min(agents.size(), from + options_.max_agents_per_send);
      Send send{target.first, target.second, {}, !first_.contains(target)};
      send.agents.assign(agents.begin() + static_cast<std::ptrdiff_t>(from),
                         agents.begin() + static_cast<std::ptrdiff_t>(to));
      out.push_back(std::move(send));
    }
  }
  plan_.clear();
  first_.clear();
  return out;
}

void Dispatcher::Undo() {
  for (const auto& [target, agents] : plan_) {
    for (const AgentId& agent : agents) {
      sendings_.erase({target.second, agent});
      due_.insert(agent);
    }
  }
  plan_.clear();
  plan_order_.clear();
  first_.clear();
}

}  // namespace holdfast::backend
