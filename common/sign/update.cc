#include "common/sign/update.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sign {
namespace {

namespace pb = ::holdfast::command::v1;

// Nothing is parsed before as many as are due have signed it.
Result<Envelope> OpenSigned(const Crypto& crypto, std::string_view envelope_bytes,
                            std::string_view type, const std::vector<PublicKey>& keys,
                            std::uint32_t threshold) {
  HF_ASSIGN_OR_RETURN(Envelope envelope, ParseEnvelope(envelope_bytes, type));
  const std::uint32_t count = CountSignatures(crypto, envelope, keys);
  if (count >= threshold) return envelope;
  return Error{Code::kDenied, std::to_string(count) + " valid signatures, " +
                                  std::to_string(threshold) + " are due"};
}

}  // namespace

Result<pb::UpdateRoot> VerifyUpdateRoot(const Crypto& crypto, const TrustedPolicy& trust,
                                        std::string_view envelope, WallTime now) {
  const auto& policy = trust.policy;
  auto opened = OpenSigned(crypto, envelope, kUpdateRootType, KeysOf(policy.root_keys()),
                           policy.root_threshold());
  if (!opened.ok()) return std::move(opened).error().In("the update root, by the fleet's roots");
  HF_ASSIGN_OR_RETURN(pb::UpdateRoot root, ParseUpdateRoot(opened.value().payload()));
  if (root.fleet_id() != trust.fleet_id.view()) {
    return Error{Code::kDenied, "the update root is of another fleet"};
  }
  if (now.get() > root.expires_ms()) return Error{Code::kExpired, "the update root has expired"};
  return root;
}

Result<pb::Release> VerifyRelease(const Crypto& crypto, const pb::UpdateRoot& root,
                                  std::string_view envelope, WallTime now) {
  auto opened = OpenSigned(crypto, envelope, kReleaseType, KeysOf(root.keys()), root.threshold());
  if (!opened.ok()) return std::move(opened).error().In("the release, by the update keys");
  HF_ASSIGN_OR_RETURN(pb::Release release, ParseRelease(opened.value().payload()));
  if (now.get() > release.expires_ms()) return Error{Code::kExpired, "the release has expired"};
  return release;
}

const pb::ReleaseFile* FileFor(const pb::Release& release, std::string_view arch) {
  const auto found = std::find_if(release.files().begin(), release.files().end(),
                                  [&](const pb::ReleaseFile& file) { return file.arch() == arch; });
  return found == release.files().end() ? nullptr : &*found;
}

}  // namespace holdfast::sign
