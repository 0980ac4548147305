// AgentState: what an agent knows about itself between runs: key, fleet, servers, roots.
//
//   <state>/identity.key   one line: HOLDFAST-KEY-v1 agent <base64url of 32 bytes>
//   <state>/bundle.pb      the bundle it was enrolled with; its token is dropped once it was used
//   <state>/enrolled       the agent's id, from the end of the first enrolment: what service managers wait for
//
// Ownership: owns key and trust; borrows Crypto.
// Errors:    Load(): kNotFound: not enrolled. kDenied, kExpired: the policy does not verify.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/adapters/linux/self_exec.h"
#include "agent/adapters/linux/state_dir.h"
#include "agent/core/identity.h"
#include "agent/core/mac.h"
#include "common/sign/chain.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::agent {

inline constexpr std::string_view kKeyFile = "identity.key";
inline constexpr std::string_view kBundleFile = "bundle.pb";
inline constexpr std::string_view kEnrolledFile = "enrolled";
inline constexpr std::string_view kJournalFile = "journal.db";

struct AgentState {
  ::holdfast::command::v1::Bundle bundle;
  sign::TrustedPolicy trust;
  std::unique_ptr<sign::SigningKey> key;
  AgentId id;
  MacKey journal_key;

  // The serialized bundle for the link process: without the token.
  std::string LinkConfig() const;
};

// The parts, for whoever wants to know which of them is wrong.
Result<::holdfast::command::v1::Bundle> ReadBundle(const StateDir& dir);
Result<std::unique_ptr<sign::SigningKey>> ReadKey(const sign::Crypto& crypto, const StateDir& dir);
Result<sign::TrustedPolicy> CheckPolicy(const sign::Crypto& crypto,
                                        const ::holdfast::command::v1::Bundle& bundle,
                                        WallTime now);
Result<AgentState> LoadAgentState(const sign::Crypto& crypto, const StateDir& dir, WallTime now);
// A directory that already holds something else is no place for a state: it would be closed to others
// and a key would lie among what is there. kInvalid.
Status CheckIsPlaceForState(const std::string& path);
// Checks the bundle's policy, makes a key if there is none yet, and stores both. A state that belongs
// to another fleet is kExists. One that was enrolled goes on obeying its roots: a policy that they have
// not signed is kDenied, and nothing is changed.
Result<AgentState> PrepareAgentState(const sign::Crypto& crypto, const StateDir& dir,
                                     std::string_view bundle_text, WallTime now);
// The token has done its work, and the service may start.
Status MarkEnrolled(const StateDir& dir, AgentState& state);

// /var/lib/holdfast-agent as root, else $XDG_STATE_HOME/holdfast-agent or ~/.local/state/holdfast-agent.
std::string DefaultStatePath();
// The user and group for the link process: those of holdfast-link if passwd(5) has one, else 65534 (nobody).
UserIds LinkUser();
UserIds LinkUserOf(std::string_view passwd);

}  // namespace holdfast::agent
