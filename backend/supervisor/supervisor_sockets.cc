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
  for (const Child* const gateway : children()) {
    if (gateway->spec().role != "gateway") continue;
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
    if (!MayPlace()) return agents_->SetAccepting(false);  // the next tick looks again
    if (!AcceptAgent()) return;
  }
}

bool Supervisor::MayPlace() {
  return !stopping_ && placement_.Pick(Loads()) &&
         HandshakesInFlight() < config_.admission_handshakes && bucket_.Has(MonotonicNow());
}

// False when nobody is left.
bool Supervisor::AcceptAgent() {
  auto accepted = agents_->Accept();
  if (!accepted) return false;
  if (!LeaveToProxy(*agents_, *accepted)) AdmitAgent(*std::move(accepted));
  return true;
}

void Supervisor::AdmitAgent(Listener::Accepted accepted) {
  const std::string source = SourceOf(accepted.peer_address);
  switch (sources_.Ask(source, next_ticket_, MonotonicNow())) {
    case SourceAdmission::Verdict::kGo: Place(accepted, source); break;
    case SourceAdmission::Verdict::kWait:
      waiting_.emplace(next_ticket_++, std::move(accepted));
      break;
    case SourceAdmission::Verdict::kRefuse: ++refused_sockets_; break;
  }
}

bool Supervisor::LeaveToProxy(Listener& listener, Listener::Accepted& accepted) {
  if (proxies_.empty()) return false;
  if (proxies_.Contains(accepted.peer_address)) {
    proxied_.Take(listener, std::move(accepted));
    return true;
  }
  if (!config_.tls_plain) return false;
  // Without TLS only what a proxy has taken off it: this one is closed.
  proxy_refusals_.Add(accepted.peer_address, ProxyRefusal::kNotAProxy);
  return true;
}

void Supervisor::OnProxied(Listener& listener, Listener::Accepted accepted) {
  if (stopping_) return;
  if (&listener == api_.get()) return GiveToControl(accepted);
  if (named_.empty() && MayPlace()) return AdmitAgent(std::move(accepted));
  // Accepted when there was room, which others took while its proxy spoke.
  if (named_.size() < sources_.max_waiting()) {
    named_.push_back({std::move(accepted), MonotonicNow()});
  } else {
    ++refused_sockets_;
  }
}

void Supervisor::Place(const Listener::Accepted& accepted, const std::string& source) {
  const std::optional<std::size_t> to = placement_.Pick(Loads());
  if (!to || !bucket_.Take(MonotonicNow())) return;  // MayPlace() was just true
  Child& gateway = *gateways_[*to];
  sources_.Started(&gateway, source);
  if (gateway.SendSocket(WorkerMessageType::kAgentSocket, accepted.peer_address,
                         accepted.fd.get())) {
    return;
  }
  // A gateway that cannot take it is full of sockets that it has not looked at: this one is closed, its
  // agent dials again, and the others wait for the next tick.
  sources_.Done(&gateway, source);
  log_.Write(LogLine(LogLevel::kWarn, "socket_dropped").Id("slot", gateway.spec().slot));
  agents_->SetAccepting(false);
}

void Supervisor::ServeWaiting() {
  for (int i = 0; i < kAcceptsPerTurn && !named_.empty() && MayPlace(); ++i) {
    Listener::Accepted next = std::move(named_.front().accepted);
    named_.pop_front();
    AdmitAgent(std::move(next));
  }
  for (int i = 0; i < kAcceptsPerTurn && MayPlace(); ++i) {
    const auto next = sources_.NextReady();
    if (!next) return;
    const auto found = waiting_.find(next->ticket);
    if (found == waiting_.end()) continue;
    Place(found->second, next->source);
    waiting_.erase(found);
  }
}

// Their peers have given up as well.
void Supervisor::DropLate() {
  const TimePoint now = MonotonicNow();
  while (const auto late = sources_.NextExpired(now)) waiting_.erase(*late);
  while (!named_.empty() && now - named_.front().since >= SourceAdmission::kPatience) {
    named_.pop_front();
  }
}

void Supervisor::OnHandshakesDone(Child& child, std::string_view addresses) {
  while (!addresses.empty()) {
    const std::size_t end = std::min(addresses.find('\n'), addresses.size() - 1);
    sources_.Done(&child, SourceOf(std::string(addresses.substr(0, end))));
    addresses.remove_prefix(end + 1);
  }
  ServeWaiting();
}

std::uint32_t Supervisor::SourceLimit() const {
  if (config_.admission_source_percent == 0) return 0;
  const std::uint64_t share =
      std::uint64_t{config_.admission_handshakes} * config_.admission_source_percent / 100;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(share, 1));
}

void Supervisor::AcceptApi() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    auto accepted = api_->Accept();
    if (!accepted) return;
    if (!LeaveToProxy(*api_, *accepted)) GiveToControl(*accepted);
  }
}

void Supervisor::GiveToControl(const Listener::Accepted& accepted) {
  if (control_->SendSocket(WorkerMessageType::kApiSocket, accepted.peer_address,
                           accepted.fd.get())) {
    return;
  }
  log_.Write(LogLine(LogLevel::kWarn, "socket_dropped").Id("slot", control_->spec().slot));
}

AdminAnswer Supervisor::Health() {
  const std::string missing = stopping_ ? "stopping\n" : NotReady();
  return missing.empty() ? AdminAnswer{200, "ok\n"} : AdminAnswer{503, missing};
}

AdminAnswer Supervisor::Metrics() {
  MetricsText text;
  // One line for each slot: gateways on their way out share theirs with who took it.
  std::vector<const Child*> slots;
  if (redis_) slots.push_back(redis_.get());
  slots.push_back(control_.get());
  for (const auto& gateway : gateways_) slots.push_back(gateway.get());
  for (const Child* const child : slots) {
    if (child->counters() != nullptr) text.Add(child->spec().slot, *child->counters());
  }
  for (const Child* const child : slots) {
    text.AddOne("holdfast_process_up", "1 while the process is ready",
                "{proc=\"" + child->spec().slot + "\"}", child->ready() ? 1 : 0);
  }
  for (const Child* const child : slots) {
    text.AddOne("holdfast_process_restarts", "Times that the process was started again",
                "{proc=\"" + child->spec().slot + "\"}",
                std::max<std::uint64_t>(child->starts(), 1) - 1);
  }
  std::uint64_t leaving_links = 0;
  for (const auto& gateway : leaving_) {
    if (gateway->counters() != nullptr) leaving_links += gateway->counters()->Get(Counter::kLinks);
  }
  text.AddPermille("holdfast_links_balance",
                   "Links of the fullest gateway over the mean; 1 is even", "",
                   BalancePermille(GatewayLinks()));
  text.AddOne("holdfast_leaving_links", "Links of gateways that are on their way out", "",
              leaving_links);
  text.AddOne("holdfast_waiting_sockets",
              "Sockets that wait for their address's share of handshakes", "", sources_.waiting());
  text.AddOne("holdfast_refused_sockets_total",
              "Sockets closed at once: too many of addresses above their share wait", "",
              refused_sockets_);
  text.AddOne(
      "holdfast_proxy_refused_total",
      "Sockets closed: of a trusted proxy without a PROXY header, or past the proxies without TLS",
      "", proxy_refusals_.total());
  text.AddOne("holdfast_redis_up", "1 while Redis answers", "", probe_->answers() ? 1 : 0);
  return {200, text.Text()};
}

}  // namespace holdfast::backend
