#include "backend/core/control_sessions.h"

#include <algorithm>
#include <utility>

namespace holdfast::backend {

using ::holdfast::link::v1::CloseReason;

// --- gateways -------------------------------------------------------------------------------------

Sessions::Gateway* Sessions::Heard(const std::string& name, Moment now) {
  auto found = gateways_.find(name);
  if (found == gateways_.end()) {
    if (gateways_.size() >= options_.max_gateways) return nullptr;
    found = gateways_.emplace(name, Gateway{}).first;
  }
  found->second.heard = now.at;
  return &found->second;
}

void Sessions::Announce(const std::string& name, Gateway& gateway, Moment now) {
  if (gateway.announced != TimePoint{} && now.at - gateway.announced < options_.announce_repeat) {
    return;
  }
  gateway.announced = now.at;
  gateway.list.clear();
  Answer answer{name, {}};
  answer.message.mutable_announce();
  answers_.push_back(std::move(answer));
}

// Whether this event is the next one. A gap means that a close or a claim was lost.
bool Sessions::InOrder(const std::string& name, Gateway& gateway, std::uint64_t event_no,
                       Moment now) {
  if (event_no <= gateway.event_no) return false;
  const bool next = event_no == gateway.event_no + 1;
  gateway.event_no = event_no;
  if (!next && gateway.listed) {
    gateway.listed = false;
    gateway.announced = TimePoint{};
  }
  if (!gateway.listed) Announce(name, gateway, now);
  return true;
}

void Sessions::OnGatewayUp(const std::string& name, const route::v1::GatewayUp& up, Moment now) {
  Gateway* gateway = Heard(name, now);
  if (gateway == nullptr) return;
  if (up.event_no() > gateway->event_no) {
    gateway->event_no = up.event_no();
    gateway->listed = false;
  }
  if (!gateway->listed) Announce(name, *gateway, now);
  if (!up.cursor().empty()) housekeeping_.push_back({name, up.cursor()});
}

void Sessions::OnLinks(const std::string& name, const route::v1::Links& links, Moment now) {
  Gateway* gateway = Heard(name, now);
  if (gateway == nullptr) return;
  for (const auto& link : links.links()) {
    const auto agent = AgentId::From(link.agent_id());
    if (!agent) continue;
    if (agents_.Find(*agent) == nullptr) {
      CloseLink(name, *agent, link.epoch(), CloseReason::CLOSE_REASON_NOT_ENROLLED);
    } else {
      gateway->list[*agent] = link.epoch();
    }
  }
  if (!links.last()) return;
  // Older than what we know: events that came after it would be undone. Ask again.
  if (links.event_no() < gateway->event_no) {
    gateway->announced = TimePoint{};
    Announce(name, *gateway, now);
    return;
  }
  gateway->event_no = links.event_no();
  gateway->listed = true;
  FinishList(name, *gateway, now);
}

void Sessions::FinishList(const std::string& name, Gateway& gateway, Moment now) {
  const std::map<AgentId, std::uint64_t> list = std::exchange(gateway.list, {});
  const bool lost = std::exchange(gateway.lost, false);
  std::vector<AgentId> gone;
  for (const auto& [agent, link] : links_) {
    if (link.gateway() != name) continue;
    const auto listed = list.find(agent);
    if (listed != list.end() && listed->second >= link.epoch) continue;
    if (now.at - link.since >= options_.fresh_grant) {
      gone.push_back(agent);
    } else {
      // Its answer may have been on its way, or be lost: the next list tells.
      gateway.listed = false;
    }
  }
  for (const AgentId& agent : gone) DropLink(agent, now);
  for (const auto& [agent, epoch] : list) {
    const AgentRow* row = agents_.Find(agent);
    if (row == nullptr) {
      CloseLink(name, agent, epoch, CloseReason::CLOSE_REASON_NOT_ENROLLED);
    } else if (row->removed) {
      CloseLink(name, agent, epoch, CloseReason::CLOSE_REASON_REVOKED);
    } else if (epoch < row->epoch) {
      CloseLink(name, agent, epoch, CloseReason::CLOSE_REASON_SUPERSEDED);
    } else if (epoch > row->epoch) {
      // Never granted: let it claim properly.
      CloseLink(name, agent, epoch, CloseReason::CLOSE_REASON_TRY_LATER);
    } else if (!online(agent)) {
      SetLink(agent, {KeptName(name), epoch, 0, now.at});
    } else if (lost) {
      news_.push_back({agent, true, false, true, true});
    }
  }
}

void Sessions::OnTransport(bool connected, Moment now) {
  connected_ = connected;
  for (auto& [name, gateway] : gateways_) {
    gateway.heard = now.at;  // silence while Redis is away says nothing about a gateway
    if (!connected) continue;
    // Events of the meantime may be lost, and the next one that would show the gap be far away.
    gateway.listed = false;
    gateway.lost = true;
    gateway.announced = TimePoint{};
    Announce(name, gateway, now);
  }
}

void Sessions::OnTick(Moment now, bool is_reading) {
  if (!connected_) return;
  if (!is_reading) {
    for (auto& [name, gateway] : gateways_) gateway.heard = now.at;
    return;
  }
  for (auto it = gateways_.begin(); it != gateways_.end();) {
    auto& [name, gateway] = *it;
    if (now.at - gateway.heard < options_.gateway_silence) {
      ++it;
      continue;
    }
    std::vector<AgentId> gone;
    for (const auto& [agent, link] : links_) {
      if (link.gateway() == name) gone.push_back(agent);
    }
    for (const AgentId& agent : gone) DropLink(agent, now);
    housekeeping_.push_back({name, {}});
    it = gateways_.erase(it);
  }
}

// --- links ----------------------------------------------------------------------------------------

// The key of a gateway that is known: it leaves the table after its links.
const std::string* Sessions::KeptName(const std::string& gateway) {
  return &gateways_.try_emplace(gateway).first->first;
}

void Sessions::SetLink(const AgentId& agent, LinkAt link) {
  links_[agent] = link;
  news_.push_back({agent, true, false, true, false});
}

void Sessions::DropLink(const AgentId& agent, Moment now) {
  if (links_.erase(agent) == 0) return;
  news_.push_back({agent, false, false, false, false});
  if (agents_.Find(agent) != nullptr) agents_.Change(agent).last_seen_ms = now.wall_ms();
}

const LinkAt* Sessions::FindLink(const AgentId& agent) const {
  const auto found = links_.find(agent);
  return found == links_.end() ? nullptr : &found->second;
}

void Sessions::CloseLink(const std::string& gateway, const AgentId& agent, std::uint64_t epoch,
                         CloseReason reason) {
  Answer answer{gateway, {}};
  auto& close = *answer.message.mutable_close_link();
  close.set_agent_id(agent.str());
  close.set_epoch(epoch);
  close.set_reason(reason);
  answers_.push_back(std::move(answer));
}

void Sessions::OnLinkClosed(const std::string& name, const route::v1::LinkClosed& closed,
                            Moment now) {
  Gateway* gateway = Heard(name, now);
  if (gateway == nullptr) return;
  if (!InOrder(name, *gateway, closed.event_no(), now)) return;
  const auto agent = AgentId::From(closed.agent_id());
  if (!agent) return;
  std::erase_if(grants_, [&](const Grant& grant) {  // of this very turn
    return grant.agent == *agent && grant.gateway == name && grant.epoch == closed.epoch();
  });
  const LinkAt* link = FindLink(*agent);
  if (link != nullptr && link->gateway() == name && link->epoch == closed.epoch()) {
    DropLink(*agent, now);
  }
}

bool Sessions::OnFrames(const std::string& name, const AgentId& agent, std::uint64_t epoch,
                        Moment now) {
  Gateway* gateway = Heard(name, now);
  const AgentRow* row = agents_.FindActive(agent);
  if (gateway == nullptr || row == nullptr || epoch != row->epoch) return false;
  const LinkAt* link = FindLink(agent);
  if (link == nullptr) {
    // A control that has just started: its gateways have not listed their links yet.
    SetLink(agent, {KeptName(name), epoch, 0, now.at});
  } else if (link->gateway() != name || link->epoch != epoch) {
    return false;
  }
  // The agent stores the contact before it says anything: from here on only a journal that went back
  // in time still has the one before.
  if (row->prev_contact != row->contact) agents_.Change(agent).prev_contact = row->contact;
  return true;
}

void Sessions::Revoke(const AgentId& agent, Moment now) {
  const LinkAt* link = FindLink(agent);
  if (link == nullptr) return;
  CloseLink(link->gateway(), agent, link->epoch, CloseReason::CLOSE_REASON_REVOKED);
  DropLink(agent, now);
}

// --- the turn -------------------------------------------------------------------------------------

void Sessions::Keep(Moment now) {
  lost_journals_.clear();
  for (Grant& grant : std::exchange(grants_, {})) {
    if (agents_.FindActive(grant.agent) == nullptr) {  // removed in this very turn
      Deny(grant.gateway, grant.link_ref, grant.agent, grant.epoch,
           {CloseReason::CLOSE_REASON_REVOKED});
      continue;
    }
    const LinkAt* old = FindLink(grant.agent);
    if (old != nullptr && old->epoch < grant.epoch) {
      CloseLink(old->gateway(), grant.agent, old->epoch, CloseReason::CLOSE_REASON_SUPERSEDED);
    }
    Answer answer{grant.gateway, {}};
    auto& granted = *answer.message.mutable_claim_answer();
    granted.set_link_ref(grant.link_ref);
    granted.set_agent_id(grant.agent.str());
    granted.set_epoch(grant.epoch);
    granted.set_granted(true);
    granted.set_contact(grant.contact.str());
    granted.set_journal_reverted(grant.journal_reverted);
    answers_.push_back(std::move(answer));
    links_[grant.agent] = {KeptName(grant.gateway), grant.epoch, grant.link_ref, now.at};
    news_.push_back({grant.agent, true, grant.journal_lost, false, false});
  }
}

void Sessions::Undo() {
  lost_journals_.clear();
  for (const Grant& grant : std::exchange(grants_, {})) {
    // A full disk is not mended sooner.
    Deny(grant.gateway, grant.link_ref, grant.agent, grant.epoch,
         {CloseReason::CLOSE_REASON_TRY_LATER, 5});
  }
}

std::vector<Sessions::Answer> Sessions::TakeAnswers() { return std::exchange(answers_, {}); }
std::vector<Sessions::News> Sessions::TakeNews() { return std::exchange(news_, {}); }
std::vector<Sessions::Housekeeping> Sessions::TakeHousekeeping() {
  return std::exchange(housekeeping_, {});
}

}  // namespace holdfast::backend
