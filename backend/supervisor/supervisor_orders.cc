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

void Supervisor::OnOrder(std::uint64_t client, std::string_view word) {
  constexpr std::string_view kScale = "scale ";
  if (word == "reload") {
    const auto told = Reload();
    if (!told.ok()) return orders_->End(client, false, told.error().message);
    for (const std::string& line : told.value()) orders_->Say(client, line);
    return orders_->End(client, true, "reloaded");
  }
  if (word == "backup") return StartCopy(client);
  const bool is_scale = word.starts_with(kScale);
  if (word != "roll" && !is_scale) {
    return orders_->End(client, false, "unknown order: of another version?");
  }
  const Status started = is_scale ? StartScale(word.substr(kScale.size())) : StartRoll();
  if (!started.ok()) return orders_->End(client, false, started.error().message);
  watchers_.push_back(client);
  if (is_scale) return ContinueScale();
  SayStep("roll", "roll: " + std::to_string(gateways_.size()) + " gateways, then control" +
                      (redis_ ? ", then Redis" : ""));
}

std::string Supervisor::Engaged() const {
  if (stopping_) return "holdfastd is stopping";
  if (roll_) return "a roll is under way";
  if (scale_) return "a change of the number of gateways is under way";
  return {};
}

void Supervisor::SayStep(std::string_view order, std::string text) {
  log_.Write(LogLine(LogLevel::kInfo, order).Text("step", text));
  for (const std::uint64_t client : watchers_) orders_->Say(client, text);
}

void Supervisor::EndOrder(std::string_view order, bool done, std::string text) {
  log_.Write(LogLine(done ? LogLevel::kInfo : LogLevel::kError,
                     std::string(order) + (done ? "_done" : "_failed"))
                 .Text("result", text));
  for (const std::uint64_t client : watchers_) orders_->End(client, done, text);
  watchers_.clear();
}

// --- roll -----------------------------------------------------------------------------------------

Status Supervisor::StartRoll() {
  if (std::string why = Engaged(); !why.empty()) return Error{Code::kUnavailable, std::move(why)};
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
      SayStep("roll", roll_->name() + ": new process starts");
      return next_->Start();
    case RollStep::kTakeOver: return TakeOver();
    case RollStep::kRestartControl:
      SayStep("roll", "control: restarts");
      rolled_starts_ = control_->starts();
      return control_->Restart();
    case RollStep::kRestartRedis:
      SayStep("roll", "redis: restarts");
      rolled_starts_ = redis_->starts();
      return redis_->Restart();
    case RollStep::kDone: return EndRoll(true, "rolled: every process is new");
    case RollStep::kFailed: return EndRoll(false, roll_->failure());
  }
}

void Supervisor::TakeOver() {
  std::unique_ptr<Child> old = std::exchange(gateways_[roll_->gateway()], std::move(next_));
  SayStep("roll", roll_->name() + ": new process took over; " + std::to_string(old->links()) +
                      " links move");
  const auto window = LeaveWindow(old->links());
  SendAway(std::move(old), window);
  UpdateAccepting();
}

void Supervisor::EndRoll(bool done, std::string text) {
  EndOrder("roll", done, std::move(text));
  roll_.reset();
  if (!next_) return;
  next_->Drain();
  leaving_.push_back(std::move(next_));
}

// --- backup ---------------------------------------------------------------------------------------

void Supervisor::StartCopy(std::uint64_t client) {
  std::string why = Engaged();
  if (why.empty() && copy_.client()) why = "another backup is under way";
  if (why.empty() && !control_->ready()) why = "control is not ready";
  if (!why.empty()) return orders_->End(client, false, why);
  log_.Write(LogLine(LogLevel::kInfo, "backup_started"));
  control_->Send(WorkerMessageType::kCopyLedger, copy_.Begin(client));
}

void Supervisor::OnCopySaid(std::string_view payload) {
  const auto line = copy_.Take(payload);
  if (!line || line->size() < 2) return;
  const std::string_view text = line->substr(2);
  if (line->starts_with("- ")) return orders_->Say(*copy_.client(), text);
  EndCopy(text);
}

void Supervisor::EndCopy(std::string_view why) {
  const auto client = copy_.client();
  if (!client) return;
  copy_.End();
  log_.Write(LogLine(LogLevel::kError, "backup_failed").Text("why", std::string(why)));
  orders_->End(*client, false, why);
}

void Supervisor::OnClientGone(std::uint64_t client) {
  if (copy_.client() != client) return;
  copy_.End();
  control_->Send(WorkerMessageType::kDropCopy, {});
  log_.Write(LogLine(LogLevel::kInfo, "backup_ended"));
}

// --- reload ---------------------------------------------------------------------------------------

Result<std::vector<std::string>> Supervisor::Reload() {
  const auto refuse = [this](Error error) {
    log_.Write(LogLine(LogLevel::kError, "reload_refused").Err(error));
    return error;
  };
  if (std::string why = Engaged(); !why.empty()) {
    return refuse(Error{Code::kUnavailable, std::move(why)});
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
  if (next.gateway_count != config_.gateway_count) scaled_to_.reset();  // the later word counts
  config_.gateway_count = next.gateway_count;
  config_.tls_cert_file = next.tls_cert_file;
  config_.tls_key_file = next.tls_key_file;

  log_.SetLevel(config_.log_level);
  bucket_.SetRate(config_.admission_links_per_second, BurstOf(config_.admission_links_per_second));
  sources_.SetLimit(SourceLimit());
  placement_.SetMaxSockets(MaxSockets(config_.gateway_max_links, descriptors_));
  SetGatewayCount(WantedGateways());
  if (scaled_to_ && *scaled_to_ != FileGateways()) told.push_back(HowToKeep());
}

Result<std::string> Supervisor::ReadCertificate(const Config& config) const {
  constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;  // chains are a few KiB
  if (config.tls_plain) return std::string();
  HF_ASSIGN_OR_RETURN(std::string both, ReadWholeFile(config.tls_cert_file, kMaxBytes));
  HF_ASSIGN_OR_RETURN(const std::string key, ReadWholeFile(config.tls_key_file, kMaxBytes));
  return both + key;
}

}  // namespace holdfast::backend
