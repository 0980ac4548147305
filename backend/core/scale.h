// Scale: changes the number of gateways while the others serve.
//
// More: new processes start, and when all of them are ready it is done; Rebalance fills them. Fewer: those of
// the highest slots send their agents to the others and end. Only plans: who asks for the next step carries
// it out.
//
//   View --> NextStep() --> kStart | kDrain ... kDone
//
// Limits:    kMaxGateways (config.h); CheckScale() says what fits. Options::patience for gateways to come up; a
//            drain bounds itself.
// Threading: thread-compatible.
// Errors:    kFailed, with failure() for people: the new gateways are not wanted, all is as before.
// Design:    docs/decisions/0070-rebalancing.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::backend {

// "6". Errors: kInvalid, with what it must be.
Result<std::uint32_t> ParseGatewayCount(std::string_view text);

// What there is for gateways now.
struct ScaleRoom {
  std::size_t gateways = 1;
  std::uint64_t sockets = 0;      // of all gateways
  std::uint64_t max_sockets = 1;  // that one gateway holds
  std::uint64_t descriptors = 0;  // of the supervisor, that nothing else may take
};
// Errors: kExhausted, with how many there may be.
Status CheckScale(std::uint32_t to, const ScaleRoom& room);

struct ScaleView {
  bool new_ready = false;  // all of the new gateways
  bool new_ended = false;  // one of them did
  bool old_gone = false;   // those that were sent away have ended
};

enum class ScaleStep : std::uint8_t {
  kStart,  // start gateways up to to()
  kDrain,  // send away those from to() on
  kDone,
  kFailed,  // failure() says why
};

class Scale {
 public:
  // A new gateway loads a policy and connects to Redis; one that is not ready by then will not be.
  static constexpr Duration kPatience = std::chrono::seconds(60);

  Scale(std::size_t from, std::size_t to) : from_(from), to_(to) {}
  // What is to be done now; nullopt: wait. After kDone or kFailed it is not asked again.
  std::optional<ScaleStep> NextStep(const ScaleView& view, TimePoint now);
  std::size_t from() const { return from_; }
  std::size_t to() const { return to_; }
  const std::string& failure() const { return failure_; }

 private:
  std::optional<ScaleStep> Fail(std::string why);

  const std::size_t from_;
  const std::size_t to_;
  std::optional<TimePoint> since_;  // nullopt: nothing was done yet
  std::string failure_;
};

}  // namespace holdfast::backend
