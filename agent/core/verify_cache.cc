#include "agent/core/verify_cache.h"

#include <algorithm>
#include <string>

namespace holdfast::agent {

Status VerifyCache::Verify(const PublicKey& key, const Digest& digest,
                           const Signature& signature) const {
  std::string triple(key.view());
  triple.append(digest.view()).append(signature.view());
  const Digest name = crypto_.Sha256(triple);
  if (std::find(held_.begin(), held_.end(), name) != held_.end()) return Ok();
  HF_TRY(crypto_.Verify(key, digest, signature));
  held_[next_] = name;
  next_ = (next_ + 1) % kEntries;
  return Ok();
}

}  // namespace holdfast::agent
