// Supervisor's fourth part: how many gateways there are, and how links spread over them.
#include <algorithm>
#include <utility>

#include "backend/adapters/linux/clocks.h"
#include "backend/supervisor/supervisor.h"

namespace holdfast::backend {
namespace {

// Beyond its window a gateway waits 5 s for agents and 3 s for closing handshakes; then it is killed.
constexpr Duration kDrainPatience = std::chrono::seconds(12);
constexpr std::uint64_t kMaxWindowSeconds = 3600;  // link.proto, Goaway.window_s
// Ports, channels of control, logs, the configuration while it is read; and API sockets on their way.
constexpr std::uint64_t kOwnDescriptors = 128;

}  // namespace

Status Supervisor::StartScale(std::string_view count) {
  if (std::string why = Engaged(); !why.empty()) return Error{Code::kUnavailable, std::move(why)};
  HF_ASSIGN_OR_RETURN(const std::uint32_t to, ParseGatewayCount(count));
  ScaleRoom room;
  room.gateways = gateways_.size();
  for (const auto& gateway : gateways_) room.sockets += gateway->sockets();
  room.max_sockets = MaxSockets(config_.gateway_max_links, descriptors_);
  const std::uint64_t taken = kOwnDescriptors + sources_.max_waiting();
  room.descriptors = descriptors_ > taken ? descriptors_ - taken : 0;
  HF_TRY(CheckScale(to, room));
  scale_.emplace(gateways_.size(), to);
  return Ok();
}

void Supervisor::ContinueScale() {
  while (scale_) {
    const auto step = scale_->NextStep(ViewScale(), MonotonicNow());
    if (!step) return;
    TakeScaleStep(*step);
  }
}

ScaleView Supervisor::ViewScale() const {
  ScaleView view;
  view.old_gone = leaving_.empty();
  view.new_ready = true;
  for (std::size_t i = scale_->from(); i < gateways_.size(); ++i) {
    view.new_ready = view.new_ready && gateways_[i]->ready();
    view.new_ended = view.new_ended || gateways_[i]->state() == Child::State::kWaiting;
  }
  return view;
}

void Supervisor::TakeScaleStep(ScaleStep step) {
  const std::string from = std::to_string(scale_->from());
  const std::string to = std::to_string(scale_->to());
  switch (step) {
    case ScaleStep::kStart:
      SayStep("scale", "scale: from " + from + " to " + to);
      return AddGateways(scale_->to());
    case ScaleStep::kDrain:
      SayStep("scale", "scale: from " + from + " to " + to);
      return DropGateways(scale_->to());
    case ScaleStep::kDone: {
      scaled_to_ = static_cast<std::uint32_t>(scale_->to());
      if (*scaled_to_ != FileGateways()) SayStep("scale", HowToKeep());
      const bool is_same = scale_->from() == scale_->to();
      return EndScale(true, is_same ? "there are as many already: " + to : "scaled: " + to);
    }
    case ScaleStep::kFailed: return EndScale(false, scale_->failure());
  }
}

void Supervisor::EndScale(bool done, std::string text) {
  const std::size_t from = scale_->from();
  scale_.reset();
  EndOrder("scale", done, std::move(text));
  if (!done && !stopping_) DropGateways(from);
}

std::string Supervisor::HowToKeep() const {
  const std::string count = std::to_string(*scaled_to_);
  return count + (count == "1" ? " gateway" : " gateways") +
         " until holdfastd ends; then gateways.count (" + std::to_string(config_.gateway_count) +
         ") counts: to keep them, set count = " + count + " under [gateways] in " + config_.file;
}

void Supervisor::SetGatewayCount(std::size_t count) {
  DropGateways(count);
  AddGateways(count);
}

void Supervisor::AddGateways(std::size_t count) {
  while (gateways_.size() < count) {
    gateways_.push_back(NewGateway(gateways_.size(), 0));
    gateways_.back()->Start();
    if (scale_) SayStep("scale", gateways_.back()->spec().slot + ": new process starts");
  }
  UpdateAccepting();
}

void Supervisor::DropGateways(std::size_t count) {
  std::uint64_t links = 0;  // of all of them: they leave together
  for (std::size_t i = count; i < gateways_.size(); ++i) links += gateways_[i]->links();
  const std::chrono::seconds window = LeaveWindow(links);
  while (gateways_.size() > count) {
    std::unique_ptr<Child> gateway = std::move(gateways_.back());
    gateways_.pop_back();
    if (scale_) {
      SayStep("scale", gateway->spec().slot + ": drains; " + std::to_string(gateway->links()) +
                           " links move");
    }
    SendAway(std::move(gateway), window);
  }
  UpdateAccepting();
}

std::chrono::seconds Supervisor::LeaveWindow(std::uint64_t links) const {
  return std::chrono::seconds(
      std::min(links / config_.admission_links_per_second + 1, kMaxWindowSeconds));
}

void Supervisor::SendAway(std::unique_ptr<Child> gateway, std::chrono::seconds window) {
  gateway->Drain(std::to_string(window.count()), window + kDrainPatience);
  leaving_.push_back(std::move(gateway));
}

std::vector<std::uint64_t> Supervisor::GatewayLinks() const {
  std::vector<std::uint64_t> links;
  links.reserve(gateways_.size());
  for (const auto& gateway : gateways_) links.push_back(gateway->links());
  return links;
}

void Supervisor::SpreadLinks() {
  const std::vector<std::uint64_t> links = GatewayLinks();
  RebalanceView view;
  view.settled = Engaged().empty() && leaving_.empty() && AllServe();
  view.links_per_second = config_.admission_links_per_second;
  view.links = links;
  const auto round = rebalance_.NextRound(view, MonotonicNow());
  if (!round) return;
  const std::string window =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(round->window).count());
  for (const RebalanceRound::Shed& shed : round->sheds) {
    Child& gateway = *gateways_[shed.gateway];
    log_.Write(LogLine(LogLevel::kInfo, "rebalance")
                   .Id("slot", gateway.spec().slot)
                   .Num("links", static_cast<std::int64_t>(links[shed.gateway]))
                   .Num("shed", static_cast<std::int64_t>(shed.links))
                   .Id("window_s", window));
    gateway.Send(WorkerMessageType::kShed, std::to_string(shed.links) + " " + window);
  }
}

}  // namespace holdfast::backend
