#include "backend/fleet/command_cache.h"

#include <utility>

namespace holdfast::fleet {
namespace {

namespace pb = ::holdfast::command::v1;

}  // namespace

CommandCache::Verdict CommandCache::Check(std::string_view envelope, std::string_view cert_envelope,
                                          const AgentId& self, WallTime now) {
  const std::unique_ptr<sign::Hasher> hasher = crypto_.NewSha256();
  hasher->Update(envelope);
  hasher->Update(cert_envelope);
  const Digest key = hasher->Finish();
  auto found = verdicts_.find(key);
  if (found == verdicts_.end()) {
    ++verified_;
    sign::CommandCheck check;
    check.now = now;
    auto checked = sign::CheckCommand(crypto_, trust_, {envelope, cert_envelope}, check);
    Verdict verdict = sign::Refusal{};
    if (auto* refusal = std::get_if<sign::Refusal>(&checked)) {
      verdict = std::move(*refusal);
    } else {
      auto known = std::make_shared<KnownCommand>();
      known->verified = std::move(std::get<sign::VerifiedCommand>(checked));
      for (const std::string& id : known->verified.command.target().agent_ids()) {
        if (const auto agent = AgentId::From(id)) known->targets.insert(*agent);
      }
      verdict = std::shared_ptr<const KnownCommand>(std::move(known));
    }
    if (by_age_.size() >= kMaxEntries) {
      verdicts_.erase(by_age_.front());
      by_age_.pop_front();
    }
    by_age_.push_back(key);
    found = verdicts_.emplace(key, std::move(verdict)).first;
  }
  const auto* known = std::get_if<std::shared_ptr<const KnownCommand>>(&found->second);
  if (known == nullptr) return found->second;
  const sign::VerifiedCommand& command = (*known)->verified;
  if (!(*known)->targets.contains(self)) {
    return sign::Refusal{pb::COMMAND_FAILURE_WRONG_TARGET, "not among the targets", command.digest,
                         std::nullopt};
  }
  if (now.get() > command.command.not_after_ms()) {
    return sign::Refusal{pb::COMMAND_FAILURE_EXPIRED, "too late", command.digest, std::nullopt};
  }
  return found->second;
}

}  // namespace holdfast::fleet
