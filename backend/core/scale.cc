#include "backend/core/scale.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "backend/core/config.h"

namespace holdfast::backend {
namespace {

// The supervisor's end of a gateway's channel, and its counters; the same again while a roll replaces it.
constexpr std::uint64_t kDescriptorsPerGateway = 4;

std::string Gateways(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " gateway" : " gateways");
}

}  // namespace

Result<std::uint32_t> ParseGatewayCount(std::string_view text) {
  std::uint32_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || stop != end || count == 0 || count > kMaxGateways) {
    return Error{Code::kInvalid,
                 "the number of gateways must be from 1 to " + std::to_string(kMaxGateways)};
  }
  return count;
}

Status CheckScale(std::uint32_t to, const ScaleRoom& room) {
  const std::uint64_t most =
      std::max<std::uint64_t>(room.descriptors / kDescriptorsPerGateway, room.gateways);
  if (to > most) {
    return Error{Code::kExhausted,
                 "descriptors allow no more than " + Gateways(most) + " (ulimit -Hn)"};
  }
  const std::uint64_t least = (room.sockets + room.max_sockets - 1) / room.max_sockets;
  if (to < room.gateways && to < least) {
    return Error{Code::kExhausted, Gateways(to) + " cannot hold the " +
                                       std::to_string(room.sockets) + " links that are open (" +
                                       std::to_string(room.max_sockets) + " each); at least " +
                                       std::to_string(least) + " can"};
  }
  return Ok();
}

std::optional<ScaleStep> Scale::Fail(std::string why) {
  failure_ = std::move(why) + "; " + Gateways(from_) + ", as before";
  return ScaleStep::kFailed;
}

std::optional<ScaleStep> Scale::NextStep(const ScaleView& view, TimePoint now) {
  if (to_ == from_) return ScaleStep::kDone;
  const bool is_up = to_ > from_;
  if (!since_) {
    since_ = now;
    return is_up ? ScaleStep::kStart : ScaleStep::kDrain;
  }
  if (is_up ? view.new_ready : view.old_gone) return ScaleStep::kDone;
  if (is_up && view.new_ended) return Fail("a new gateway ended");
  if (is_up && now - *since_ >= kPatience) return Fail("not all new gateways became ready");
  return std::nullopt;
}

}  // namespace holdfast::backend
