// Supervisor's other half: which sockets are accepted, where they go, and what is told about it.
#include <algorithm>
#include <utility>

#include "backend/adapters/linux/clocks.h"
#include "backend/core/metrics_text.h"
#include "backend/supervisor/supervisor.h"

namespace holdfast::backend {
namespace {

constexpr int kAcceptsPerTurn = 64;  // then other sources of the loop get their turn

}  // namespace

std::vector<GatewayLoad> Supervisor::Loads() const {
  std::vector<GatewayLoad> loads;
  loads.reserve(gateways_.size());
  for (const auto& gateway : gateways_) loads.push_back({gateway->ready(), gateway->sockets()});
  return loads;
}

std::uint64_t Supervisor::HandshakesInFlight() const {
  std::uint64_t sum = 0;
  for (const auto& gateway : gateways_) {
    const CounterBlock* const counters = gateway->counters();
    const std::uint64_t links = counters == nullptr ? 0 : counters->Get(Counter::kLinks);
    const std::uint64_t sockets = gateway->sockets();
    sum += sockets > links ? sockets - links : 0;
  }
  return sum;
}

void Supervisor::UpdateAccepting() {
  const bool some_gateway = std::any_of(gateways_.begin(), gateways_.end(),
                                        [](const auto& gateway) { return gateway->ready(); });
  agents_->SetAccepting(!stopping_ && some_gateway &&
                        HandshakesInFlight() < config_.admission_handshakes);
  api_->SetAccepting(!stopping_ && control_ != nullptr && control_->ready());
}

void Supervisor::OnAcceptable(Listener& listener) {
  if (&listener == agents_.get()) {
    AcceptAgents();
  } else {
    AcceptApi();
  }
}

void Supervisor::AcceptAgents() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const std::vector<GatewayLoad> loads = Loads();
    const std::optional<std::size_t> to = placement_.Pick(loads);
    // At a bound the next tick looks again.
    if (!to || HandshakesInFlight() >= config_.admission_handshakes ||
        !bucket_.Take(MonotonicNow())) {
      agents_->SetAccepting(false);
      return;
    }
    const auto accepted = agents_->Accept();
    if (!accepted) return;
    // A gateway that cannot take it is full of sockets that it has not looked at: this one is closed, its
    // agent dials again, and the others wait for the next tick.
    if (!gateways_[*to]->SendSocket(WorkerMessageType::kAgentSocket, accepted->peer_address,
                                    accepted->fd.get())) {
      log_.Write(
          LogLine(LogLevel::kWarn, "socket_dropped").Id("slot", gateways_[*to]->spec().slot));
      agents_->SetAccepting(false);
      return;
    }
  }
}

void Supervisor::AcceptApi() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const auto accepted = api_->Accept();
    if (!accepted) return;
    if (!control_->SendSocket(WorkerMessageType::kApiSocket, accepted->peer_address,
                              accepted->fd.get())) {
      log_.Write(LogLine(LogLevel::kWarn, "socket_dropped").Id("slot", control_->spec().slot));
    }
  }
}

AdminAnswer Supervisor::Health() {
  const std::string missing = stopping_ ? "stopping\n" : NotReady();
  return missing.empty() ? AdminAnswer{200, "ok\n"} : AdminAnswer{503, missing};
}

AdminAnswer Supervisor::Metrics() {
  MetricsText text;
  for (const Child* const child : children()) {
    if (child->counters() != nullptr) text.Add(child->spec().slot, *child->counters());
  }
  for (const Child* const child : children()) {
    text.AddOne("holdfast_process_up", "1 while the process is ready",
                "{proc=\"" + child->spec().slot + "\"}", child->ready() ? 1 : 0);
  }
  for (const Child* const child : children()) {
    text.AddOne("holdfast_process_restarts", "Times that the process was started again",
                "{proc=\"" + child->spec().slot + "\"}", child->restarts());
  }
  text.AddOne("holdfast_redis_up", "1 while Redis answers", "", probe_->answers() ? 1 : 0);
  return {200, text.Text()};
}

}  // namespace holdfast::backend
