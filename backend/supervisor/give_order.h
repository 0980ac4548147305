// OrderLine: one order to the holdfastd that runs on this configuration's state (OrderSocket), and its answers.
// GiveOrder: `holdfastd roll`, `scale` and `reload`, from the word to the exit status.
//
//   Give(word) --> Next ... until it is not kGoesOn      destroyed: we have gone
//
// Ownership: owns its socket.
// Errors:    Give(): kNotFound: none runs there; kDenied: somebody else's. Next(): kUnavailable: it ended before it
//            was done; kCancelled: `stop` was asked for while we waited.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "backend/adapters/linux/unique_fd.h"
#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

class StopRequest;

class OrderLine {
 public:
  struct Answer {
    enum class Kind : std::uint8_t { kGoesOn, kDone, kNot };
    Kind kind = Kind::kGoesOn;
    std::string text;
  };
  static Result<OrderLine> Give(const Config& config, std::string_view word);
  Result<Answer> Next(const StopRequest* stop = nullptr);
  // Does not wait. kUnavailable: it has ended, or has said something that nobody waited for: why it ended this.
  Status StillOpen();

 private:
  explicit OrderLine(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::string pending_;  // bytes behind the last line
};

// Prints what it answers. The order's own end, 0 or 1, is returned.
Result<int> GiveOrder(const Config& config, std::string_view word);

}  // namespace holdfast::backend
