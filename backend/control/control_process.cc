#include "backend/control/control_process.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "backend/core/copy_request.h"
#include "backend/core/live_settings.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"

namespace holdfast::backend {
namespace {

constexpr char kApiPath[] = "/api/v1";  // api.proto
constexpr char kApiSubprotocol[] = "holdfast.api.v1";
// Few connections, large uploads: one TLS record at a time.
constexpr std::size_t kApiRxBufferBytes = std::size_t{16} * 1024;
constexpr std::size_t kMaxCaBytes = std::size_t{16} * 1024;  // trust.proto, Bundle.ca_pem
// The core's own timers are seconds; a held stream waits one.
constexpr double kTickSeconds = 0.25;
constexpr std::uint16_t kPolicyViolation = 1008;  // RFC 6455, 7.4.1
constexpr std::uint16_t kTryAgainLater = 1013;

}  // namespace

ControlProcess::ControlProcess(struct ev_loop* loop, const Config& config,
                               const WorkerIdentity& identity, const sign::Crypto& crypto)
    : loop_(loop),
      config_(config),
      identity_(identity),
      crypto_(crypto),
      log_(identity.slot, config.log_level) {}

ControlProcess::~ControlProcess() {
  ev_timer_stop(loop_, &tick_);
  ev_timer_stop(loop_, &turn_due_);
  ev_async_stop(loop_, &files_done_);
}

// --- start ----------------------------------------------------------------------------------------

Status ControlProcess::Start() {
  OnTurnStart();
  HF_ASSIGN_OR_RETURN(worker_, WorkerProcess::Start(loop_, *this));
  HF_TRY(LoadTrust());
  HF_TRY(OpenFiles());
  HF_TRY(OpenStore());
  StreamTransportDelegate& entries = *this;
  streams_.emplace(loop_,
                   RedisStreams::Options{config_.redis_address(), ControlStream(identity_.instance),
                                         &worker_->counters(), identity_.redis},
                   entries);
  HF_TRY(OpenServer());
  StartWatchers();
  worker_->SendReady();
  log_.Write(LogLine(LogLevel::kInfo, "control_started").Id("instance", identity_.instance));
  return Ok();
}

Status ControlProcess::LoadTrust() {
  HF_ASSIGN_OR_RETURN(const std::string policy,
                      ReadWholeFile(config_.policy_file, sign::kMaxEnvelopeBytes));
  auto trusted = sign::VerifyPolicy(crypto_, policy, {}, now_.wall);
  if (!trusted.ok()) return std::move(trusted).error().In(config_.policy_file);
  trust_ = std::move(trusted).value();

  settings_.server_name = config_.server_names().front();
  settings_.version = HOLDFAST_VERSION;
  auto& bundle = settings_.bundle;
  bundle.set_fleet_id(trust_.fleet_id.str());
  bundle.set_fleet_name(config_.fleet_name);
  for (const ServerUrl& server : config_.servers) bundle.add_servers(server.text);
  bundle.set_policy_envelope(policy);
  if (!config_.tells_ca()) return Ok();
  HF_ASSIGN_OR_RETURN(const std::string ca, ReadWholeFile(config_.tls_ca_file, kMaxCaBytes));
  bundle.set_ca_pem(ca);
  return Ok();
}

Status ControlProcess::OpenFiles() {
  HF_TRY(MakeDirectories(config_.state_dir));
  PooledOutputFiles::Options options;
  options.results_dir = config_.state_dir + "/results";
  options.blobs_dir = config_.state_dir + "/blobs";
  ev_async_init(&files_done_, [](struct ev_loop*, ev_async* async, int) {
    static_cast<ControlProcess*>(async->data)->OnFilesDone();
  });
  files_done_.data = this;
  ev_async_start(loop_, &files_done_);
  HF_ASSIGN_OR_RETURN(files_, PooledOutputFiles::Make(std::move(options), crypto_, [this] {
                        ev_async_send(loop_, &files_done_);
                      }));
  return Ok();
}

Result<Store*> ControlProcess::OpenSqlite() {
  HF_ASSIGN_OR_RETURN(ledger_,
                      OpenSqliteStore(config_.state_dir + "/ledger.db",
                                      [worker = worker_.get()] { worker->StillStarts(); }));
  copy_.emplace(loop_, *ledger_, config_.state_dir, [this](std::string_view payload) {
    // A supervisor that does not read is one that is gone.
    static_cast<void>(worker_->Send(WorkerMessageType::kCopySaid, payload));
  });
  copy_->Drop();  // of a control before us
  return ledger_.get();
}

Result<Store*> ControlProcess::OpenPostgres() {
  constexpr std::size_t kMaxNumberBytes = 32;
  const std::string file = config_.run_dir() + "/record.epoch";
  const auto last = ReadWholeFile(file, kMaxNumberBytes);
  std::uint64_t last_epoch = 0;  // also for what is no number
  if (last.ok()) {
    std::from_chars(last.value().data(), last.value().data() + last.value().size(), last_epoch);
  }
  HF_ASSIGN_OR_RETURN(record_, OpenPostgresStore(
                                   config_.store_url, "holdfast " + identity_.instance,
                                   [this] {
                                     if (!streams_) worker_->StillStarts();
                                   },
                                   last_epoch));
  // Without it the next control takes a session that this one left behind for another holdfastd's.
  const Status kept = ReplaceFile(file, std::to_string(record_->epoch()));
  if (!kept.ok()) log_.Write(LogLine(LogLevel::kWarn, "epoch_not_kept").Err(kept.error()));
  return record_.get();
}

Status ControlProcess::OpenStore() {
  HF_ASSIGN_OR_RETURN(Store* const store,
                      config_.store_url.empty() ? OpenSqlite() : OpenPostgres());
  HF_ASSIGN_OR_RETURN(const std::vector<Nonce16> named, store->IncomingFiles());
  files_->RemoveStray(named);
  ControlCore::Options options;
  options.instance = identity_.instance;
  options.sessions.fleet_id = trust_.fleet_id;
  core_.emplace(std::move(options), ControlCore::Ports{*store, *files_, crypto_, trust_, settings_,
                                                       &worker_->counters()});
  for (bool more = true; more; worker_->StillStarts()) {
    HF_ASSIGN_OR_RETURN(more, core_->LoadMore());
  }
  return Ok();
}

Status ControlProcess::OpenServer() {
  LwsServer::Options options;
  options.path = kApiPath;
  options.subprotocol = kApiSubprotocol;
  if (!config_.tls_plain) {
    options.cert_file = config_.tls_cert_file;
    options.key_file = config_.tls_key_file;
  }
  options.rx_buffer_bytes = kApiRxBufferBytes;
  HF_ASSIGN_OR_RETURN(server_, LwsServer::Create(loop_, std::move(options), *this));
  return Ok();
}

void ControlProcess::StartWatchers() {
  ev_timer_init(
      &tick_,
      [](struct ev_loop*, ev_timer* timer, int) {
        auto* const self = static_cast<ControlProcess*>(timer->data);
        self->core_->OnTick(self->now_);
        self->touched_ = true;
      },
      kTickSeconds, kTickSeconds);
  tick_.data = this;
  ev_timer_start(loop_, &tick_);
  ev_timer_init(
      &turn_due_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<ControlProcess*>(timer->data)->touched_ = true;
      },
      0, 0);
  turn_due_.data = this;
}

// --- supervisor -----------------------------------------------------------------------------------

void ControlProcess::OnWorkerMessage(WorkerMessageType type, std::string_view payload,
                                     UniqueFd fd) {
  if (type == WorkerMessageType::kApiSocket && fd.valid()) {
    // A refusal has said OnClosed(nullptr) already.
    static_cast<void>(server_->Adopt(fd.Release(), std::string(payload)));
  } else if (type == WorkerMessageType::kPoison) {
    const auto agent = AgentId::From(payload.substr(0, AgentId::kSize));
    const auto digest = Digest::From(payload.substr(std::min(payload.size(), AgentId::kSize)));
    if (!agent || !digest || !core_) return;
    core_->OnPoison({*digest, *agent});
    touched_ = true;
  } else if (type == WorkerMessageType::kReload) {
    OnReload(payload);
  } else if (type == WorkerMessageType::kCopyLedger) {
    if (copy_) return copy_->Start(std::string(payload));
    static_cast<void>(worker_->Send(
        WorkerMessageType::kCopySaid,
        AnswerCopy(std::string(payload), "1 the record is in PostgreSQL: use pg_dump")));
  } else if (type == WorkerMessageType::kDropCopy) {
    if (copy_) copy_->Drop();
  } else if (type == WorkerMessageType::kDrain) {
    // What is not committed was never promised: there is nothing to wait for.
    log_.Write(LogLine(LogLevel::kInfo, "control_drains"));
    ev_break(loop_, EVBREAK_ALL);
  }
}

void ControlProcess::OnReload(std::string_view payload) {
  const auto settings = DecodeLiveSettings(payload);
  if (!settings) return;
  log_.SetLevel(settings->log_level);
  if (settings->cert_file.empty()) return;
  const Status taken = server_->SetCertificate(settings->cert_file, settings->key_file);
  if (!taken.ok()) {
    log_.Write(LogLine(LogLevel::kError, "certificate_refused").Err(taken.error()));
  }
}

void ControlProcess::OnTurnStart() { now_ = {MonotonicNow(), WallNow()}; }

void ControlProcess::OnTurnEnd() {
  if (!core_ || !streams_ || !std::exchange(touched_, false)) return;
  core_->EndTurn(now_);
  if (MustEnd()) return;
  SendOutputs();
  ServeApi();
  for (const LogLine& line : core_->TakeLogs()) log_.Write(line);
  if (const auto due = core_->turn_due_in(); due && !ev_is_active(&turn_due_)) {
    ev_timer_set(&turn_due_, static_cast<double>(due->count()) / 1000.0, 0);
    ev_timer_start(loop_, &turn_due_);
  }
  if (reading_ != core_->wants_reading()) {
    reading_ = core_->wants_reading();
    streams_->SetReading(reading_);
  }
}

void ControlProcess::OnSecond() {
  if (!core_) return;
  if (record_) record_->Keep();
  if (!MustEnd()) Count();
}

// What is in memory is no longer what is in the record. The next control loads that, or is told that it may not.
bool ControlProcess::MustEnd() {
  const std::optional<Error> why = record_ ? record_->must_reload() : std::nullopt;
  if (!why) return false;
  log_.Write(LogLine(LogLevel::kError, "control_reloads").Err(*why));
  exit_status_ = 1;
  ev_break(loop_, EVBREAK_ALL);
  return true;
}

void ControlProcess::Count() {
  CounterBlock& counters = worker_->counters();
  const ControlFigures figures = core_->figures();
  counters.Set(Counter::kCommandsAccepted, figures.commands_accepted);
  counters.Set(Counter::kCommandsEnded, figures.commands_ended);
  counters.Set(Counter::kSubmitsRefused, figures.submits_refused);
  counters.Set(Counter::kSweeperSends, figures.sweeper_sends);
  counters.Set(Counter::kStoredBytes, figures.stored_bytes);
  counters.Set(Counter::kSignaturesRefused, figures.strange_refusals);
  counters.Set(Counter::kApiConnections, figures.api_connections);
}

// --- Redis and files ------------------------------------------------------------------------------

void ControlProcess::OnEntry(std::string_view id, std::string_view message) {
  touched_ = true;
  core_->OnEntry(id, message, now_);
}

void ControlProcess::OnBatchEnd() {}  // the turn ends with the loop's

void ControlProcess::OnLost(const Error& why) {
  touched_ = true;
  log_.Write(LogLine(LogLevel::kWarn, "redis_lost").Err(why));
  core_->OnTransport(false, now_);
}

void ControlProcess::OnDenied(const Error& why) {
  log_.Write(LogLine(LogLevel::kError, "redis_denied").Err(why));
}

void ControlProcess::OnRestored() {
  touched_ = true;
  core_->OnTransport(true, now_);
}

void ControlProcess::OnFilesDone() {
  touched_ = true;
  for (FileDone& done : files_->Drain()) core_->OnFileDone(std::move(done), now_);
}

void ControlProcess::SendOutputs() {
  while (std::optional<RouteOut> out = core_->NextOut()) {
    const std::string stream =
        out->gateway.empty() ? ControlStream(identity_.instance) : GatewayStream(out->gateway);
    switch (out->kind) {
      case RouteOut::Kind::kAdd:
        // What is not sent is repeated by its own timer, here or at the agent.
        static_cast<void>(streams_->Add(stream, out->bytes));
        break;
      case RouteOut::Kind::kTrim: streams_->Trim(stream, out->bytes); break;
      case RouteOut::Kind::kRemove: streams_->Remove(stream); break;
    }
  }
}

// --- the API --------------------------------------------------------------------------------------

void ControlProcess::OnOpened(LwsLink& link) {
  touched_ = true;
  const std::uint64_t id = ++next_connection_;
  if (!core_->OnApiOpened(id, std::string(link.peer_address()), now_)) {
    return link.Close(kTryAgainLater, "too many connections");
  }
  auto connection = std::make_unique<Connection>(Connection{id, &link, false});
  link.user = connection.get();
  connections_.emplace(id, std::move(connection));
  link.SetMaxMessageBytes(core_->ApiMaxMessageBytes(id));
  link.WantWrite();
}

void ControlProcess::OnMessage(LwsLink& link, std::string_view message) {
  if (link.user == nullptr) return;
  touched_ = true;
  const std::uint64_t id = static_cast<Connection*>(link.user)->id;
  core_->OnApiMessage(id, message, now_);
  link.SetMaxMessageBytes(core_->ApiMaxMessageBytes(id));  // more after the login
}

void ControlProcess::OnClosed(LwsLink* link, ServerClose why) {
  static_cast<void>(why);
  if (link == nullptr || link->user == nullptr) return;
  const std::uint64_t id = static_cast<Connection*>(link->user)->id;
  link->user = nullptr;
  core_->OnApiClosed(id);
  connections_.erase(id);
}

std::optional<std::string> ControlProcess::NextMessage(LwsLink& link) {
  if (link.user == nullptr) return std::nullopt;
  touched_ = true;  // more may be ready, or the connection be due to close
  return core_->NextApiMessage(static_cast<Connection*>(link.user)->id);
}

void ControlProcess::ServeApi() {
  for (const std::uint64_t id : core_->TakeApiReady()) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second->closing) continue;
    Connection& connection = *found->second;
    const std::optional<std::string> words = core_->ApiClosing(id);
    if (words && !core_->ApiHasMessages(id)) {
      connection.closing = true;
      connection.link->Close(kPolicyViolation, *words);
    } else {
      connection.link->WantWrite();
    }
  }
}

}  // namespace holdfast::backend
