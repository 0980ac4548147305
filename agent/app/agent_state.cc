#include "agent/app/agent_state.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include <unistd.h>

#include "agent/adapters/linux/directory.h"
#include "common/base/untrusted.h"
#include "common/bundle/bundle_text.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kKeyPrefix = "HOLDFAST-KEY-v1 agent ";
constexpr std::size_t kMaxKeyFileBytes = 256;
constexpr std::size_t kMaxPasswdBytes = std::size_t{1024} * 1024;
constexpr unsigned kNobody = 65534;

Status WriteKey(const StateDir& dir, const sign::SigningKey& key) {
  return dir.WriteFile(kKeyFile,
                       std::string(kKeyPrefix) + ToBase64Url(key.secret_for_storage()) + "\n");
}

Result<AgentState> Assemble(const sign::Crypto& crypto, ::holdfast::command::v1::Bundle bundle,
                            std::unique_ptr<sign::SigningKey> key, WallTime now) {
  HF_ASSIGN_OR_RETURN(auto trust, CheckPolicy(crypto, bundle, now));
  const AgentId id = sign::AgentIdOf(crypto, key->public_key());
  const MacKey journal_key = JournalKey(crypto, key->secret_for_storage());
  return AgentState{std::move(bundle), std::move(trust), std::move(key), id, journal_key};
}

// The token is dropped, and the file written, when the server has taken the agent in.
bool WasEnrolled(const StateDir& dir, const ::holdfast::command::v1::Bundle& bundle) {
  return bundle.token().empty() || dir.ReadFile(kEnrolledFile, kMaxKeyFileBytes).ok();
}

// Whoever can hand an agent a bundle must not thereby become who commands it.
Status CheckSuccessor(const sign::Crypto& crypto, const StateDir& dir,
                      const ::holdfast::command::v1::Bundle& before, std::string_view policy,
                      WallTime now) {
  // Its end may be what the new one is for.
  auto trust = sign::VerifyPolicy(crypto, before.policy_envelope(), {}, WallTime(0));
  if (!trust.ok()) return std::move(trust).error().In(dir.PathOf(kBundleFile));
  auto next = sign::VerifySuccessor(crypto, policy, trust.value(), now);
  if (next.ok()) return Ok();
  return Error{next.error().code,
               dir.path() + " is enrolled, and the bundle does not come from whom it obeys: " +
                   next.error().message + ". To make it obey others: holdfast-agent unenrol"};
}

}  // namespace

Result<std::unique_ptr<sign::SigningKey>> ReadKey(const sign::Crypto& crypto, const StateDir& dir) {
  HF_ASSIGN_OR_RETURN(std::string line, dir.ReadFile(kKeyFile, kMaxKeyFileBytes));
  while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
  if (!line.starts_with(kKeyPrefix)) {
    return Error{Code::kCorrupt, dir.PathOf(kKeyFile) + ": not an agent's key file"};
  }
  HF_ASSIGN_OR_RETURN(const std::string secret, FromBase64Url(line.substr(kKeyPrefix.size())));
  return crypto.LoadKey(secret);
}

Result<::holdfast::command::v1::Bundle> ReadBundle(const StateDir& dir) {
  HF_ASSIGN_OR_RETURN(const std::string bytes, dir.ReadFile(kBundleFile, kMaxBundleTextBytes));
  ::holdfast::command::v1::Bundle bundle;
  if (!bundle.ParseFromString(bytes)) {
    return Error{Code::kCorrupt, dir.PathOf(kBundleFile) + ": does not parse"};
  }
  return bundle;
}

Result<sign::TrustedPolicy> CheckPolicy(const sign::Crypto& crypto,
                                        const ::holdfast::command::v1::Bundle& bundle,
                                        WallTime now) {
  auto trust = sign::VerifyPolicy(crypto, bundle.policy_envelope(), {}, now);
  if (!trust.ok()) return std::move(trust).error().In("the fleet's policy");
  if (trust.value().fleet_id.view() != bundle.fleet_id()) {
    return Error{Code::kDenied, "the policy is of another fleet than the bundle"};
  }
  return trust;
}

std::string AgentState::LinkConfig() const {
  auto copy = bundle;
  copy.clear_token();
  return copy.SerializeAsString();
}

Result<AgentState> LoadAgentState(const sign::Crypto& crypto, const StateDir& dir, WallTime now) {
  HF_ASSIGN_OR_RETURN(auto bundle, ReadBundle(dir));
  HF_ASSIGN_OR_RETURN(auto key, ReadKey(crypto, dir));
  return Assemble(crypto, std::move(bundle), std::move(key), now);
}

Status CheckIsPlaceForState(const std::string& path) {
  // Each of these says that an agent was here, even if it was stopped in the middle of its first start.
  constexpr std::array<std::string_view, 4> kOurs = {kKeyFile, kBundleFile, kJournalFile,
                                                     "agent.lock"};
  const auto names = ListNames(path);
  if (!names.ok()) return Ok();  // none yet, or opening it says what is wrong
  const bool is_ours = std::ranges::any_of(names.value(), [&](const std::string& name) {
    return std::ranges::find(kOurs, name) != kOurs.end();
  });
  const auto stranger = std::ranges::find_if(
      names.value(), [](const std::string& name) { return name != "lost+found"; });
  if (is_ours || stranger == names.value().end()) return Ok();
  return Error{Code::kInvalid, path + ": not empty, and no agent's state (there is '" +
                                   ForTerminal(Untrusted(*stranger)) +
                                   "'); give --state a new or empty directory"};
}

Result<AgentState> PrepareAgentState(const sign::Crypto& crypto, const StateDir& dir,
                                     std::string_view bundle_text, WallTime now) {
  HF_ASSIGN_OR_RETURN(auto bundle, ParseBundle(bundle_text));
  if (bundle.token().empty()) return Error{Code::kInvalid, "the bundle holds no enrolment token"};
  const auto before = ReadBundle(dir);
  if (before.ok() && before.value().fleet_id() != bundle.fleet_id()) {
    return Error{Code::kExists,
                 dir.path() + " belongs to an agent of another fleet; use another --state"};
  }
  if (before.ok() && WasEnrolled(dir, before.value())) {
    HF_TRY(CheckSuccessor(crypto, dir, before.value(), bundle.policy_envelope(), now));
  }
  auto key = ReadKey(crypto, dir);
  const bool is_new = !key.ok();
  if (is_new) {
    if (key.error().code != Code::kNotFound) return std::move(key).error();
    key = crypto.GenerateKey();
    if (!key.ok()) return std::move(key).error();
  }
  HF_ASSIGN_OR_RETURN(AgentState state,
                      Assemble(crypto, std::move(bundle), std::move(key).value(), now));
  if (is_new) HF_TRY(WriteKey(dir, *state.key));
  HF_TRY(dir.WriteFile(kBundleFile, state.bundle.SerializeAsString()));
  return state;
}

Status MarkEnrolled(const StateDir& dir, AgentState& state) {
  state.bundle.clear_token();
  HF_TRY(dir.WriteFile(kBundleFile, state.bundle.SerializeAsString()));
  return dir.WriteFile(kEnrolledFile, state.id.hex() + "\n");
}

std::string DefaultStatePath() {
  if (::geteuid() == 0) return "/var/lib/holdfast-agent";
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    return std::string(state) + "/holdfast-agent";
  }
  const char* home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.local/state/holdfast-agent";
}

// Read by hand: getpwnam() in a static program would load the machine's own libc beside ours.
UserIds LinkUser() {
  const auto passwd = ReadWholeFile("/etc/passwd", kMaxPasswdBytes);
  return LinkUserOf(passwd.ok() ? std::string_view(passwd.value()) : std::string_view());
}

UserIds LinkUserOf(std::string_view passwd) {
  constexpr std::string_view kName = "holdfast-link:";
  constexpr UserIds kUnknown{kNobody, kNobody};
  for (std::string_view rest = passwd; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.starts_with(kName)) continue;
    line.remove_prefix(std::min(line.find(':', kName.size()), line.size()));  // behind the password
    UserIds ids{};
    for (unsigned* const id : {&ids.user, &ids.group}) {
      if (!line.starts_with(':')) return kUnknown;
      const char* const end = line.data() + line.size();
      const auto [stop, wrong] = std::from_chars(line.data() + 1, end, *id);
      if (wrong != std::errc() || *id == 0) return kUnknown;
      line.remove_prefix(static_cast<std::size_t>(stop - line.data()));
    }
    return ids;
  }
  return kUnknown;
}

}  // namespace holdfast::agent
