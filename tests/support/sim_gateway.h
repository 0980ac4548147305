// SimGateway: a scripted gateway: proves nothing, passes everything, numbers its events.
//
//   agents' frames --> [SimGateway] --> TakeToControl        OnToGateway --> the agents' frames
//
// Threading: thread-compatible.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "holdfast/route/v1/route.pb.h"
#include "tests/support/sim_agent.h"

namespace holdfast::testing {

class SimGateway {
 public:
  explicit SimGateway(std::string instance) : instance_(std::move(instance)) {}
  const std::string& instance() const { return instance_; }
  bool holds(const SimAgent& agent) const {
    const auto found = links_.find(&agent);
    return found != links_.end() && found->second == agent.epoch();
  }
  bool knows(SimAgent* agent) const {
    if (links_.contains(agent)) return true;
    for (const auto& [ref, claim] : claims_) {
      if (claim.first == agent) return true;
    }
    return false;
  }

  void Dial(SimAgent& agent) {
    const std::uint64_t ref = ++next_ref_;
    std::string hello = agent.Hello();
    claims_[ref] = {&agent, agent.epoch()};
    auto& claim = *Add().mutable_claim();
    claim.set_link_ref(ref);
    claim.set_hello_envelope(std::move(hello));
    claim.set_peer_address("127.0.0.1:1");
    claim.set_event_no(++event_no_);
  }
  void Hangup(SimAgent& agent) {
    std::erase_if(claims_, [&](const auto& entry) { return entry.second.first == &agent; });
    const auto found = links_.find(&agent);
    if (found == links_.end()) return;
    auto& closed = *Add().mutable_link_closed();
    closed.set_agent_id(agent.id().str());
    closed.set_epoch(found->second);
    closed.set_event_no(++event_no_);
    links_.erase(found);
  }
  void SayUp() {
    auto& up = *Add().mutable_gateway_up();
    up.set_event_no(event_no_);
    up.set_links(links_.size());
  }
  // Frames of an agent that is linked here, several per entry.
  void Carry(SimAgent& agent, const std::vector<link::Frame>& frames) {
    if (!holds(agent)) return;
    for (std::size_t at = 0; at < frames.size();) {
      auto& from = *Add().mutable_from_agent();
      from.set_agent_id(agent.id().str());
      from.set_epoch(links_.at(&agent));
      for (; at < frames.size() && from.frames_size() < 8; ++at) {
        from.add_frames(frames[at].SerializeAsString());
      }
    }
  }
  void OnToGateway(const route::v1::ToGateway& message, std::uint64_t wall_ms, TimePoint now) {
    if (message.has_claim_answer()) return OnAnswer(message.claim_answer(), wall_ms, now);
    if (message.has_announce()) return List();
    if (message.has_close_link()) {
      SimAgent* agent = Find(message.close_link().agent_id());
      if (agent == nullptr || links_.at(agent) > message.close_link().epoch()) return;
      if (holds(*agent)) agent->OnClosed();
      return Hangup(*agent);
    }
    for (const std::string& id : message.send().agent_ids()) {
      SimAgent* agent = Find(id);
      if (agent == nullptr || !holds(*agent)) continue;
      for (const std::string& bytes : message.send().frames()) {
        agent->OnFrame(link::DecodeFrame(bytes, link::Direction::kDown).value(), wall_ms, now);
      }
    }
  }
  std::vector<std::string> TakeToControl() {
    std::vector<std::string> out;
    for (auto& message : std::exchange(out_, {})) {
      message.set_gateway(instance_);
      out.push_back(message.SerializeAsString());
    }
    return out;
  }

 private:
  route::v1::ToControl& Add() { return out_.emplace_back(); }
  SimAgent* Find(const std::string& id) const {
    for (const auto& [agent, epoch] : links_) {
      if (agent->id().view() == id) return const_cast<SimAgent*>(agent);
    }
    return nullptr;
  }
  void OnAnswer(const route::v1::ClaimAnswer& answer, std::uint64_t wall_ms, TimePoint now) {
    const auto found = claims_.find(answer.link_ref());
    if (found == claims_.end()) return;
    const auto [agent, epoch] = found->second;
    claims_.erase(found);
    if (agent->epoch() != epoch) return;  // it has dialled again since
    if (!answer.granted()) return agent->OnClosed();
    links_[agent] = epoch;
    if (!answer.journal_reverted()) return agent->OnWelcome(answer.contact(), now);
    agent->BeginAnew(wall_ms, now);
    Hangup(*agent);
  }
  void List() {
    auto& links = *Add().mutable_links();
    for (const auto& [agent, epoch] : links_) {
      auto& ref = *links.add_links();
      ref.set_agent_id(agent->id().str());
      ref.set_epoch(epoch);
    }
    links.set_last(true);
    links.set_event_no(event_no_);
  }

  const std::string instance_;
  std::map<const SimAgent*, std::uint64_t> links_;
  std::map<std::uint64_t, std::pair<SimAgent*, std::uint64_t>> claims_;
  std::uint64_t next_ref_ = 0;
  std::uint64_t event_no_ = 0;
  std::vector<route::v1::ToControl> out_;
};

}  // namespace holdfast::testing
