// NftFence: batches of nft_rules.h to the kernel, and its answers. No program of the machine is asked: it may have none,
// or one that lies.
//
// Threading: loop thread only; one call is one or two exchanges with the kernel, milliseconds.
// Errors:    as Fence has them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/adapters/linux/nft_rules.h"
#include "common/base/result.h"

namespace holdfast::agent {

class NftFence {
 public:
  Status Close(const std::vector<NftPeer>& peers, Duration left);
  Status Open();
  // Nobody has changed any rule of this machine since Close().
  Result<bool> IsUntouched();

 private:
  std::uint32_t generation_ = 0;  // of the kernel's rules, as Close() left them
};

}  // namespace holdfast::agent
