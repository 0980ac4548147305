// Sessions: which agent is online, at which gateway, under which epoch; who may take a session over.
//
// The agent issues epochs; this commits the highest and grants only a greater one. Everything here
// but the agents' rows is knowledge that can be lost: gateways number their events, a gap or an
// unknown gateway makes control ask for the list of links.
//
//   OnGatewayUp OnClaim OnLinkClosed OnLinks OnTick --> [Sessions] --> TakeAnswers TakeNews FindLink
//
// Ordering:  a granted claim counts as a session only after Keep(), that is, after the commit of its
//            epoch; its answer comes out of TakeAnswers() then, too.
// Limits:    Options::max_gateways instances are remembered, more are ignored; an agent has one link;
//            Options::max_enrolments_per_second.
// Ownership: borrows agents, tokens, audit for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    none: what is wrong with a claim is the answer to it.
// Design:    docs/protocol.md 3 and 5
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/core/control_agents.h"
#include "backend/core/control_audit.h"
#include "backend/core/control_moment.h"
#include "backend/core/control_tokens.h"
#include "common/sign/crypto.h"
#include "holdfast/route/v1/route.pb.h"

namespace holdfast::backend {

struct ProvedHello;

// 32 bytes: control has one for each agent that is online.
struct LinkAt {
  const std::string* gateway_name = nullptr;  // Sessions keeps it for as long as the link
  std::uint64_t epoch = 0;
  std::uint64_t link_ref = 0;  // 0: learnt from a list
  TimePoint since{};
  const std::string& gateway() const { return *gateway_name; }  // instance
};

class Sessions {
 public:
  struct Options {
    FleetId fleet_id;
    std::size_t max_gateways = 4096;
    Duration gateway_silence = std::chrono::seconds(15);  // docs/protocol.md 5
    // A list of links was written before answers that were still on their way to its gateway: what is younger and
    // not in it is asked for again.
    Duration fresh_grant = std::chrono::seconds(15);
    Duration announce_repeat = std::chrono::seconds(5);  // the list got lost: ask again
    // A rollout must not take the commits of those who are at work. Above it: TRY_LATER, each with a
    // delay in which its turn would come.
    std::size_t max_enrolments_per_second = 100;
    Duration max_enrolment_delay = std::chrono::seconds(60);  // a longer queue asks again then
  };
  Sessions(Options options, const sign::Crypto& crypto, AgentTable& agents, Tokens& tokens,
           AuditLog& audit)
      : options_(options), crypto_(crypto), agents_(agents), tokens_(tokens), audit_(audit) {}

  void OnGatewayUp(const std::string& name, const route::v1::GatewayUp& up, Moment now);
  void OnClaim(const std::string& name, const route::v1::Claim& claim, Moment now);
  void OnLinkClosed(const std::string& name, const route::v1::LinkClosed& closed, Moment now);
  void OnLinks(const std::string& name, const route::v1::Links& links, Moment now);
  // Frames of a session arrived: true if they count. Learns the session if it was not known.
  bool OnFrames(const std::string& name, const AgentId& agent, std::uint64_t epoch, Moment now);
  void OnTransport(bool connected, Moment now);
  // `is_reading`: what gateways say is being read; else their silence is ours.
  void OnTick(Moment now, bool is_reading = true);
  // The operator removed it: its link closes with REVOKED.
  void Revoke(const AgentId& agent, Moment now);

  const LinkAt* FindLink(const AgentId& agent) const;
  bool online(const AgentId& agent) const { return FindLink(agent) != nullptr; }
  std::size_t links() const { return links_.size(); }

  // What to say to whom; complete messages but for ToGateway.control.
  struct Answer {
    std::string gateway;
    route::v1::ToGateway message;
  };
  std::vector<Answer> TakeAnswers();
  struct News {
    AgentId agent;
    bool online = false;
    bool journal_lost = false;  // came back with another incarnation
    bool resumed = false;       // the link stood before we knew of it: the agent will not ask anew
    bool again = false;         // it was online all the time, but what was on its way is lost
  };
  std::vector<News> TakeNews();
  bool has_news() const { return !news_.empty(); }
  struct Housekeeping {
    std::string gateway;
    std::string trim_to;  // entry id; empty: the gateway is gone, remove its stream
  };
  std::vector<Housekeeping> TakeHousekeeping();

  // After the commit, or instead of it.
  void Keep(Moment now);
  void Undo();
  // A journal was lost in this turn, or is older than what control told the agent: known before the
  // commit, so that the ledger can tell.
  const std::vector<AgentId>& lost_journals() const { return lost_journals_; }

 private:
  struct Gateway {
    TimePoint heard{};
    std::uint64_t event_no = 0;
    bool listed = false;  // its links are known
    TimePoint announced{};
    bool lost = false;  // Redis was away since its links were listed
    // Parts of Links that have come so far; known agents only.
    std::map<AgentId, std::uint64_t> list;
  };
  struct Grant {
    std::string gateway;
    std::uint64_t link_ref = 0;
    AgentId agent;
    std::uint64_t epoch = 0;
    Nonce16 contact;
    bool journal_lost = false;
    bool journal_reverted = false;
  };
  struct Denial {
    ::holdfast::link::v1::CloseReason reason;
    std::uint32_t retry_after_s = 0;
  };

  Gateway* Heard(const std::string& name, Moment now);
  bool InOrder(const std::string& name, Gateway& gateway, std::uint64_t event_no, Moment now);
  void Announce(const std::string& name, Gateway& gateway, Moment now);
  std::optional<Denial> Decide(const std::string& gateway, const route::v1::Claim& claim,
                               const ProvedHello& hello, Moment now);
  std::optional<Denial> DecideUnknown(const ProvedHello& hello, Moment now);
  std::optional<Denial> AdmitEnrolment(Moment now);
  std::optional<Denial> DecideOld(const std::string& gateway, const route::v1::Claim& claim,
                                  const ProvedHello& hello, Moment now);
  void Grants(const std::string& gateway, const route::v1::Claim& claim, const ProvedHello& hello,
              Moment now);
  void SuspectClone(const AgentId& agent, std::string detail, Moment now);
  void Deny(const std::string& gateway, std::uint64_t link_ref, const AgentId& agent,
            std::uint64_t epoch, Denial denial);
  void CloseLink(const std::string& gateway, const AgentId& agent, std::uint64_t epoch,
                 ::holdfast::link::v1::CloseReason reason);
  void SetLink(const AgentId& agent, LinkAt link);
  const std::string* KeptName(const std::string& gateway);
  void DropLink(const AgentId& agent, Moment now);
  void FinishList(const std::string& name, Gateway& gateway, Moment now);

  const Options options_;
  const sign::Crypto& crypto_;
  AgentTable& agents_;
  Tokens& tokens_;
  AuditLog& audit_;
  bool connected_ = false;
  TimePoint enrolment_second_{};       // when the current one began
  std::size_t enrolments_ = 0;         // in it
  TimePoint enrolment_queue_until_{};  // when the last one turned away will have its turn
  std::map<std::string, Gateway> gateways_;
  std::unordered_map<AgentId, LinkAt, FixedBytesHash> links_;
  std::vector<Grant> grants_;  // of this turn, not yet committed
  std::vector<AgentId> lost_journals_;
  std::vector<Answer> answers_;
  std::vector<News> news_;
  std::vector<Housekeeping> housekeeping_;
};

}  // namespace holdfast::backend
