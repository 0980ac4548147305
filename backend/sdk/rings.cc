#include "backend/sdk/rings.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <utility>

#include "common/sign/version.h"

namespace holdfast::sdk {
namespace {

constexpr std::array<std::size_t, 4> kPercent = {1, 10, 50, 100};  // together with those before

struct Candidate {
  Digest place;  // among its kind
  RingAgent agent;
};

bool IsBefore(const Candidate& a, const Candidate& b) {
  if (a.agent.online != b.agent.online) return a.agent.online;
  return a.place < b.place;
}

// One kind of agent into the rings.
void Spread(std::vector<Candidate> kind, std::vector<Ring>& rings) {
  std::sort(kind.begin(), kind.end(), IsBefore);
  const auto online = static_cast<std::size_t>(std::count_if(
      kind.begin(), kind.end(), [](const Candidate& one) { return one.agent.online; }));
  std::size_t next = 0;
  for (std::size_t i = 0; i < kPercent.size(); ++i) {
    const bool is_last = i + 1 == kPercent.size();
    const std::size_t share = (kind.size() * kPercent[i] + 99) / 100;
    const std::size_t to = is_last ? kind.size() : std::min(share, online);
    for (; next < to; ++next) rings[i].push_back(std::move(kind[next].agent));
  }
}

}  // namespace

std::vector<Ring> PlanRings(const sign::Crypto& crypto,
                            const std::vector<::holdfast::api::v1::Agent>& agents,
                            const std::string& version) {
  std::map<std::pair<std::string, std::string>, std::vector<Candidate>> kinds;
  for (const auto& agent : agents) {
    const auto id = AgentId::From(agent.id());
    const auto& facts = agent.facts();
    if (!id || (sign::IsVersion(facts.version()) && !sign::IsOlder(facts.version(), version))) {
      continue;
    }
    kinds[{facts.arch(), facts.version()}].push_back(
        {crypto.Sha256(version + " " + id->str()),
         {*id, facts.hostname(), facts.arch(), facts.version(), agent.online()}});
  }
  std::vector<Ring> rings(kPercent.size());
  for (auto& [kind, candidates] : kinds) Spread(std::move(candidates), rings);
  std::erase_if(rings, [](const Ring& ring) { return ring.empty(); });
  return rings;
}

}  // namespace holdfast::sdk
