// Supervisor's third part: what an operator asks of it while it runs.
#include <algorithm>
#include <utility>

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/toml/toml_config.h"
#include "backend/core/live_settings.h"
#include "backend/supervisor/check_config.h"
#include "backend/supervisor/supervisor.h"

namespace holdfast::backend {
namespace {

// Beyond its window a gateway waits 5 s for agents and 3 s for closing handshakes; then it is killed.
constexpr Duration kDrainPatience = std::chrono::seconds(12);
constexpr std::uint64_t kMaxWindowSeconds = 3600;  // link.proto, Goaway.window_s

}  // namespace

void Supervisor::OnOrder(std::uint64_t client, std::string_view word) {
  if (word == "roll") {
    const Status started = StartRoll();
    if (!started.ok()) return orders_->End(client, false, started.error().message);
    roll_watchers_.push_back(client);
    return SayRoll("roll: " + std::to_string(gateways_.size()) + " gateways, then control" +
                   (redis_ ? ", then Redis" : ""));
  }
  if (word != "reload") return orders_->End(client, false, "unknown order: of another version?");
  const auto told = Reload();
  if (!told.ok()) return orders_->End(client, false, told.error().message);
  for (const std::string& line : told.value()) orders_->Say(client, line);
  orders_->End(client, true, "reloaded");
}

// --- roll -----------------------------------------------------------------------------------------

Status Supervisor::StartRoll() {
  if (stopping_) return Error{Code::kUnavailable, "holdfastd is stopping"};
  if (roll_) return Error{Code::kExists, "a roll is under way"};
  log_.Write(LogLine(LogLevel::kInfo, "roll_started"));
  roll_.emplace(RollOptions{.gateways = gateways_.size(), .redis = redis_ != nullptr},
                MonotonicNow());
  return Ok();
}

bool Supervisor::AllServe() const {
  return probe_->answers() && control_->ready() &&
         std::all_of(gateways_.begin(), gateways_.end(),
                     [](const auto& gateway) { return gateway->ready(); });
}

RollView Supervisor::ViewRoll() const {
  RollView view;
  view.all_serve = AllServe();
  view.next_ready = next_ && next_->ready();
  view.next_ended = next_ && next_->state() == Child::State::kWaiting;
  view.old_gone = leaving_.empty();
  const Child* const restarted = roll_->name() == "redis" ? redis_.get() : control_.get();
  view.restart_ended = restarted != nullptr && restarted->ready() &&
                       restarted->starts() > rolled_starts_ && AllServe();
  return view;
}

void Supervisor::ContinueRoll() {
  while (roll_) {
    const auto step = roll_->NextStep(ViewRoll(), MonotonicNow());
    if (!step) return;
    TakeRollStep(*step);
  }
}

void Supervisor::TakeRollStep(RollStep step) {
  switch (step) {
    case RollStep::kStartGateway:
      next_ = NewGateway(roll_->gateway(), gateways_[roll_->gateway()]->starts());
      SayRoll(roll_->name() + ": new process starts");
      return next_->Start();
    case RollStep::kTakeOver: return TakeOver();
    case RollStep::kRestartControl:
      SayRoll("control: restarts");
      rolled_starts_ = control_->starts();
      return control_->Restart();
    case RollStep::kRestartRedis:
      SayRoll("redis: restarts");
      rolled_starts_ = redis_->starts();
      return redis_->Restart();
    case RollStep::kDone: return EndRoll(true, "rolled: every process is new");
    case RollStep::kFailed: return EndRoll(false, roll_->failure());
  }
}

void Supervisor::TakeOver() {
  std::unique_ptr<Child> old = std::exchange(gateways_[roll_->gateway()], std::move(next_));
  const CounterBlock* const counters = old->counters();
  SayRoll(roll_->name() + ": new process took over; " +
          std::to_string(counters == nullptr ? 0 : counters->Get(Counter::kLinks)) + " links move");
  SendAway(std::move(old));
  UpdateAccepting();
}

void Supervisor::SendAway(std::unique_ptr<Child> gateway) {
  // As many a second as admission takes, so that those who come find room.
  const CounterBlock* const counters = gateway->counters();
  const std::uint64_t links = counters == nullptr ? 0 : counters->Get(Counter::kLinks);
  const std::uint64_t window_s =
      std::min(links / config_.admission_links_per_second + 1, kMaxWindowSeconds);
  gateway->Drain(std::to_string(window_s), std::chrono::seconds(window_s) + kDrainPatience);
  leaving_.push_back(std::move(gateway));
}

void Supervisor::SayRoll(std::string text) {
  log_.Write(LogLine(LogLevel::kInfo, "roll").Text("step", text));
  for (const std::uint64_t client : roll_watchers_) orders_->Say(client, text);
}

void Supervisor::EndRoll(bool done, std::string text) {
  log_.Write(LogLine(done ? LogLevel::kInfo : LogLevel::kError, done ? "roll_done" : "roll_failed")
                 .Text("result", text));
  for (const std::uint64_t client : roll_watchers_) orders_->End(client, done, text);
  roll_watchers_.clear();
  roll_.reset();
  if (!next_) return;
  next_->Drain();
  leaving_.push_back(std::move(next_));
}

// --- reload ---------------------------------------------------------------------------------------

Result<std::vector<std::string>> Supervisor::Reload() {
  const auto refuse = [this](Error error) {
    log_.Write(LogLine(LogLevel::kError, "reload_refused").Err(error));
    return error;
  };
  if (roll_ || stopping_) {
    return refuse(Error{Code::kUnavailable, stopping_ ? "stopping" : "a roll is under way"});
  }
  auto next = LoadConfig(config_.file);
  if (!next.ok()) return refuse(std::move(next).error());
  Status checked = CheckConfig(next.value());
  if (!checked.ok()) return refuse(std::move(checked).error());
  auto certificate = ReadCertificate(next.value());
  if (!certificate.ok()) return refuse(std::move(certificate).error());

  std::vector<std::string> told;
  ApplyLive(next.value(), told);
  const bool is_new = certificate.value() != certificate_;
  if (is_new) {
    certificate_ = std::move(certificate).value();
    certificate_changed_ = true;
    told.emplace_back("changed: the certificate, for new connections");
  }
  for (Child* const child : children()) {
    if (child->ready()) SendLive(*child, is_new);
  }
  for (const std::string& line : told) {
    log_.Write(LogLine(LogLevel::kInfo, "reload").Text("what", line));
  }
  if (told.empty()) log_.Write(LogLine(LogLevel::kInfo, "reload").Text("what", "nothing changed"));
  return told;
}

void Supervisor::SendLive(Child& child, bool with_certificate) {
  LiveSettings settings = LiveSettingsOf(config_);
  if (!with_certificate) settings.cert_file.clear();  // it keeps what it has
  child.Send(WorkerMessageType::kReload, EncodeLiveSettings(settings));
}

void Supervisor::ApplyLive(const Config& next, std::vector<std::string>& told) {
  for (const ConfigKey* const key : ChangedKeys(config_, next)) {
    const bool is_live = key->change == ConfigKey::Change::kLive;
    told.push_back((is_live ? "changed: " : "needs a restart: ") + std::string(key->name));
  }
  config_.log_level = next.log_level;
  config_.admission_links_per_second = next.admission_links_per_second;
  config_.admission_handshakes = next.admission_handshakes;
  config_.admission_source_percent = next.admission_source_percent;
  config_.gateway_max_links = next.gateway_max_links;
  config_.gateway_count = next.gateway_count;
  config_.tls_cert_file = next.tls_cert_file;
  config_.tls_key_file = next.tls_key_file;

  log_.SetLevel(config_.log_level);
  bucket_.SetRate(config_.admission_links_per_second, BurstOf(config_.admission_links_per_second));
  sources_.SetLimit(SourceLimit());
  placement_.SetMaxSockets(MaxSockets(config_.gateway_max_links, descriptors_));
  SetGatewayCount();
}

void Supervisor::SetGatewayCount() {
  while (gateways_.size() > WantedGateways()) {
    SendAway(std::move(gateways_.back()));
    gateways_.pop_back();
  }
  while (gateways_.size() < WantedGateways()) {
    gateways_.push_back(NewGateway(gateways_.size(), 0));
    gateways_.back()->Start();
  }
  UpdateAccepting();
}

Result<std::string> Supervisor::ReadCertificate(const Config& config) const {
  constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;  // chains are a few KiB
  if (config.tls_plain) return std::string();
  HF_ASSIGN_OR_RETURN(std::string both, ReadWholeFile(config.tls_cert_file, kMaxBytes));
  HF_ASSIGN_OR_RETURN(const std::string key, ReadWholeFile(config.tls_key_file, kMaxBytes));
  return both + key;
}

}  // namespace holdfast::backend
