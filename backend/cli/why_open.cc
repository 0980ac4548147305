#include "backend/cli/why_open.h"

#include "backend/cli/time_text.h"

namespace holdfast::cli {

namespace api = ::holdfast::api::v1;

namespace {

std::string Offline(const api::Waiting& waiting) {
  if (waiting.offline_since_ms() == 0) return "the agent is offline";
  return "the agent is offline since " + FormatTime(WallTime(waiting.offline_since_ms()));
}

std::string WhyAccepted(const api::CommandSummary& job, const api::Waiting& waiting) {
  const std::string until = FormatTime(WallTime(job.not_after_ms()));
  if (!waiting.online()) {
    return Offline(waiting) + ": sent when it comes back, or EXPIRED after " + until;
  }
  if (waiting.held() && job.verb() == "update") {
    return "waits until the ring before it has gone well, or EXPIRED after " + until;
  }
  if (waiting.held()) return "waits until the agent has what it cancels";
  if (waiting.ahead() == 0) return "about to be sent";
  return "waits behind " + std::to_string(waiting.ahead()) +
         (waiting.ahead() == 1 ? " other" : " others") +
         " of this agent: sent in its turn, or EXPIRED after " + until;
}

}  // namespace

std::string WhyOpen(const api::CommandSummary& job, const api::Delivery& delivery) {
  const api::Waiting& waiting = delivery.waiting();
  switch (delivery.state()) {
    case api::DELIVERY_STATE_ACCEPTED: return WhyAccepted(job, waiting);
    case api::DELIVERY_STATE_SENT:
      if (waiting.online()) return "no receipt yet: sent again every 10 s, and run once at most";
      return "no receipt, and " + Offline(waiting) +
             ": it may have run; sent again when it comes back, and run once at most";
    case api::DELIVERY_STATE_RECEIVED:
      if (waiting.online()) return "the agent has it on its disk, and runs it in its turn";
      return "the agent has it on its disk, but " + Offline(waiting) +
             ": how it ends is told when it comes back";
    case api::DELIVERY_STATE_STARTED:
      if (waiting.online()) return "it runs";
      return "it was running, but " + Offline(waiting) + ": how it ends is told when it comes back";
    case api::DELIVERY_STATE_UNKNOWN:
      return "expired without a receipt: it may have run. " +
             (waiting.online() ? std::string("The agent is being asked")
                               : "To be asked when it comes back; " + Offline(waiting)) +
             ". Then DONE or FAILED if it ran, EXPIRED if not; INTERRUPTED after 30 days of "
             "silence";
    default: return {};
  }
}

}  // namespace holdfast::cli
