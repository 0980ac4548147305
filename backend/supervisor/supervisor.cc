#include "backend/supervisor/supervisor.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/kept_sockets.h"
#include "backend/supervisor/check_config.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace holdfast::backend {
namespace {

// How often admission is looked at again while it holds back.
constexpr double kTickSeconds = 0.05;
constexpr int kTicksPerSecond = 20;
// Children that have not drained by then are killed; Redis is stopped after them.
constexpr int kDrainTicks = 10 * kTicksPerSecond;
// Sockets that wait for their address's share; as many as the kernel's backlog holds. They cost a descriptor.
constexpr std::uint64_t kMaxWaiting = 4096;
// Orphans knock every 0.1 s. Nobody is served meanwhile but by them.
constexpr Duration kAdoptionWait = std::chrono::seconds(1);

// Raised to what the system allows; gateways inherit it, and need a descriptor per link. What it is then.
std::uint64_t RaiseDescriptorLimit() {
  constexpr std::uint64_t kLeast = 1024;  // getrlimit() does not fail with arguments like these
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kLeast;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

// Part of instance names: short, and of letters that need no escaping anywhere.
std::string HostWord() {
  std::array<char, 65> name{};
  static_cast<void>(::gethostname(name.data(), name.size() - 1));
  std::string word;
  for (const char* c = name.data(); *c != '\0' && *c != '.' && word.size() < 32; ++c) {
    const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                       (*c >= '0' && *c <= '9') || *c == '-';
    if (plain) word += *c;
  }
  return word.empty() ? "host" : word;
}

}  // namespace

Supervisor::Supervisor(struct ev_loop* loop, Config config)
    : loop_(loop),
      config_(std::move(config)),
      log_("supervisor", config_.log_level),
      host_(HostWord()),
      ticket_keys_([crypto = std::shared_ptr<sign::Crypto>(NewOpensslCrypto())](
                       std::span<std::uint8_t> out) { crypto->Random(out); }),
      proxy_refusals_(log_),
      proxied_(loop, *this, proxy_refusals_),
      descriptors_(RaiseDescriptorLimit()),
      placement_(MaxSockets(config_.gateway_max_links, descriptors_)),
      bucket_(config_.admission_links_per_second, BurstOf(config_.admission_links_per_second)),
      sources_(SourceLimit(), std::min(kMaxWaiting, descriptors_ / 2)) {}

Supervisor::~Supervisor() {
  ev_timer_stop(loop_, &tick_);
  for (ev_signal& watcher : signals_) ev_signal_stop(loop_, &watcher);
}

Status Supervisor::Start() {
  HF_TRY(PrepareState());
  HF_TRY(OpenListeners());
  if (config_.tls_plain) {
    LogLine line(LogLevel::kWarn, "tls_off");
    log_.Write(line.Text("warning", config_.tells_ca()
                                        ? "a proxy ends TLS: what comes from it is not encrypted"
                                        : "links and API are not encrypted: tls.plain = true"));
  }
  if (config_.simulation) {
    log_.Write(LogLine(LogLevel::kWarn, "simulation")
                   .Text("warning", "agents may be simulated: fleet.simulation = true"));
  }
  WatchSignal(0, SIGTERM);
  WatchSignal(1, SIGINT);
  WatchSignal(2, SIGHUP);
  WatchSignal(3, SIGUSR2);
  ev_timer_init(
      &tick_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<Supervisor*>(timer->data)->OnTick();
      },
      kTickSeconds, kTickSeconds);
  tick_.data = this;
  ev_timer_start(loop_, &tick_);
  AddChildren();
  probe_.emplace(loop_, config_.redis_address(), redis_users_.of(RedisRole::kSupervisor));
  return Ok();
}

void Supervisor::WatchSignal(std::size_t at, int signal) {
  ev_signal_init(
      &signals_[at],
      [](struct ev_loop*, ev_signal* watcher, int) {
        static_cast<Supervisor*>(watcher->data)->OnSignal(watcher->signum);
      },
      signal);
  signals_[at].data = this;
  ev_signal_start(loop_, &signals_[at]);
}

void Supervisor::OnSignal(int signal) {
  switch (signal) {
    case SIGHUP: return static_cast<void>(Reload());  // it has logged how it went
    case SIGUSR2: return static_cast<void>(StartRoll());
    default: return Stop();
  }
}

Status Supervisor::PrepareState() {
  HF_TRY(MakeDirectories(config_.run_dir()));
  HF_TRY(MakeDirectories(config_.redis_dir()));
  auto lock = LockFile(config_.run_dir() + "/lock");
  if (!lock.ok()) {
    if (lock.error().code != Code::kExists) return std::move(lock).error();
    return std::move(lock).error().In("another holdfastd uses " + config_.state_dir);
  }
  lock_ = std::move(lock).value();
  // Who ends in order takes it away: gateways of one that did not may be looking for us.
  if (::unlink((config_.run_dir() + "/ready").c_str()) == 0) {
    adopting_until_ = MonotonicNow() + kAdoptionWait;
  }
  HF_ASSIGN_OR_RETURN(config_text_, MemoryFile(config_.text));
  HF_ASSIGN_OR_RETURN(certificate_, ReadCertificate(config_));
  RenewTicketKeys();
  return PrepareRedisUsers();
}

// In memory alone: a password is on no command line and on no disk of ours.
Status Supervisor::PrepareRedisUsers() {
  HF_ASSIGN_OR_RETURN(redis_users_, LoadRedisUsers(config_));
  HF_ASSIGN_OR_RETURN(redis_acl_, MemoryFile(AclText(*NewOpensslCrypto(), redis_users_)));
  HF_ASSIGN_OR_RETURN(gateway_login_,
                      MemoryFile(EncodeRedisLogin(redis_users_.of(RedisRole::kGateway))));
  HF_ASSIGN_OR_RETURN(control_login_,
                      MemoryFile(EncodeRedisLogin(redis_users_.of(RedisRole::kControl))));
  return Ok();
}

Status Supervisor::OpenListener(std::unique_ptr<Listener>& listener, KeptSockets& kept,
                                const char* key, const ListenAddress& address) {
  auto opened = Listener::Open(loop_, address, *this, &kept);
  if (!opened.ok()) {
    Error error = std::move(opened).error().In(key);
    if (error.code == Code::kExists) {
      error.message += ": another program has this port; end it, or change " + std::string(key) +
                       " in " + config_.file;
    }
    return error;
  }
  listener = std::move(opened).value();
  return Ok();
}

Status Supervisor::OpenListeners() {
  HF_ASSIGN_OR_RETURN(proxies_, AddressSet::Parse(config_.trusted_proxies));
  KeptSockets kept = KeptSockets::Inherited();
  HF_TRY(OpenListener(agents_, kept, "agents.listen", config_.agents_listen));
  HF_TRY(OpenListener(api_, kept, "api.listen", config_.api_listen));
  kept.Store({agents_->fd(), api_->fd()});
  auto admin = AdminServer::Open(loop_, config_.admin_listen, *this);
  if (!admin.ok()) return std::move(admin).error().In("admin.listen");
  admin_ = std::move(admin).value();
  HF_ASSIGN_OR_RETURN(orders_, OrderSocket::Open(loop_, config_.orders_socket(), *this));
  HF_ASSIGN_OR_RETURN(adoption_, AdoptionSocket::Open(loop_, config_.adoption_socket(), *this));
  return Ok();
}

Child::Spec Supervisor::RedisSpec() const {
  Child::Spec spec;
  spec.kind = Child::Kind::kForeign;
  spec.role = "redis";
  spec.slot = "redis";
  spec.host = host_;
  spec.output_file = config_.redis_dir() + "/redis.log";
  spec.program = config_.redis_server_program;
  spec.inherited_fds = {redis_acl_.get()};
  // Nothing is kept on disk: a restart equals FLUSHALL, a case that must pass anyway (delivery.md 5).
  spec.argv = [this](const std::string&) -> std::vector<std::string> {
    // At every start: whoever cleaned up there must not have stopped us. If it fails, redis says so.
    (void)MakeDirectories(config_.redis_dir());
    return {"redis-server",
            "--port",
            "0",
            "--unixsocket",
            config_.run_dir() + "/redis.sock",
            "--unixsocketperm",
            "600",
            "--dir",
            config_.redis_dir(),
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
            "--maxmemory",
            std::to_string(config_.redis_max_memory_mib) + "mb",
            "--maxmemory-policy",
            "noeviction",
            "--aclfile",
            "/proc/self/fd/3",
            "--protected-mode",
            "yes",
            "--loglevel",
            "warning",
            "--stop-writes-on-bgsave-error",
            "no"};
  };
  return spec;
}

Child::Spec Supervisor::WorkerSpec(std::string role, std::string slot) const {
  Child::Spec spec;
  spec.role = role;
  spec.slot = slot;
  spec.host = host_;
  spec.inherited_fds = {config_text_.get(),
                        role == "control" ? control_login_.get() : gateway_login_.get()};
  spec.program = "/proc/self/exe";  // this very program, also if its file was replaced meanwhile
  spec.argv = [this, role = std::move(role),
               slot = std::move(slot)](const std::string& instance) -> std::vector<std::string> {
    return {"holdfastd",  "--role", role,       "--slot",    slot,
            "--instance", instance, "--config", config_.file};
  };
  return spec;
}

void Supervisor::AddChildren() {
  ChildDelegate& here = *this;
  if (config_.redis_url.empty()) {
    redis_ = std::make_unique<Child>(loop_, RedisSpec(), log_, here);
  }
  control_ = std::make_unique<Child>(loop_, WorkerSpec("control", "c0"), log_, here);
  for (std::size_t i = 0; i < WantedGateways(); ++i) gateways_.push_back(NewGateway(i, 0));
  for (Child* const child : children()) {
    if (!adopting_until_ || child->spec().role != "gateway") child->Start();
  }
}

std::size_t Supervisor::WantedGateways() const { return scaled_to_.value_or(FileGateways()); }

std::size_t Supervisor::FileGateways() const {
  if (config_.gateway_count != 0) return config_.gateway_count;
  return static_cast<std::size_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

std::unique_ptr<Child> Supervisor::NewGateway(std::size_t number, std::uint64_t starts) {
  Child::Spec spec = WorkerSpec("gateway", "g" + std::to_string(number));
  spec.starts = starts;
  spec.outlives_us = true;
  ChildDelegate& here = *this;
  return std::make_unique<Child>(loop_, std::move(spec), log_, here);
}

std::vector<Child*> Supervisor::children() const {
  std::vector<Child*> all;
  if (redis_) all.push_back(redis_.get());
  if (control_) all.push_back(control_.get());
  for (const auto& gateway : gateways_) all.push_back(gateway.get());
  for (const auto& gateway : leaving_) all.push_back(gateway.get());
  if (next_) all.push_back(next_.get());
  return all;
}

int Supervisor::Run() {
  ev_run(loop_, 0);
  static_cast<void>(::unlink((config_.run_dir() + "/ready").c_str()));
  log_.Write(LogLine(LogLevel::kInfo, "stopped"));
  return exit_status_;
}

void Supervisor::OnChildReady(Child& child) {
  if (child.adopted()) {
    child.Send(WorkerMessageType::kRedisLogin,
               EncodeRedisLogin(redis_users_.of(RedisRole::kGateway)));
  }
  SendLive(child, certificate_changed_ || child.adopted());
  if (child.spec().role == "gateway" && !config_.tls_plain) {
    child.Send(WorkerMessageType::kTicketKeys, EncodeTicketKeys(ticket_keys_.pair()));
  }
  if (control_ && &child == control_.get()) {
    SendPoison();  // before the gateways know whom to ask: what it is about must not come first
    for (Child* const other : children()) {
      if (other->spec().role == "gateway") {
        other->Send(WorkerMessageType::kControl, child.instance());
      }
    }
  } else if (child.spec().role == "gateway" && control_->ready()) {
    child.Send(WorkerMessageType::kControl, control_->instance());
  }
  UpdateAccepting();
}

void Supervisor::OnChildEnded(Child& child) {
  NoteDeath(child);
  if (&child == control_.get()) {
    EndCopy("control ended before the backup was whole");
    StandDownIfTaken();
  }
  sources_.OwnerGone(&child);
  UpdateAccepting();
  if (stopping_) ContinueStop();
}

// Another holdfastd serves the fleet. Ours would keep the links of agents that nobody asks for anything.
void Supervisor::StandDownIfTaken() {
  if (stopping_ || control_->last_exit() != kRecordTakenExit) return;
  log_.Write(LogLine(LogLevel::kError, "record_taken"));
  exit_status_ = 1;
  Stop();
}

void Supervisor::NoteDeath(Child& child) {
  const std::string at_hand = child.TakeAtHand();
  if (at_hand.empty()) return;
  const std::size_t deaths = deaths_.OnDeath(at_hand);
  log_.Write(LogLine(LogLevel::kError, "died_over")
                 .Id("slot", child.spec().slot)
                 .Id("agent", ToHex(at_hand.substr(0, AgentId::kSize)))
                 .Id("digest", ToHex(at_hand.substr(AgentId::kSize)))
                 .Num("deaths", static_cast<std::int64_t>(deaths)));
  if (deaths < DeathTally::kDeaths) return;
  if (std::ranges::find(poison_, at_hand) == poison_.end()) poison_.push_back(at_hand);
  SendPoison();
}

void Supervisor::SendPoison() {
  if (!control_->ready()) return;
  for (const std::string& at_hand : std::exchange(poison_, {})) {
    control_->Send(WorkerMessageType::kPoison, at_hand);
  }
}

void Supervisor::OnTick() {
  UpdateAccepting();
  if (stopping_) {
    ++stop_ticks_;
    ContinueStop();
  }
  if (++ticks_ % kTicksPerSecond == 0) OnSecond();
  if (adopting_until_ && MonotonicNow() >= *adopting_until_) EndAdopting();
  if (roll_) ContinueRoll();
  if (scale_) ContinueScale();
  ServeWaiting();
  // Not where they end: that is inside their own call.
  std::erase_if(leaving_, [](const auto& gateway) { return gateway->ended(); });
  if (!was_ready_ && !stopping_) CheckReady();
}

void Supervisor::RenewTicketKeys() {
  if (!ticket_keys_.OnTime(MonotonicNow()) || config_.tls_plain) return;
  for (Child* const child : children()) {
    if (child->spec().role != "gateway" || !child->ready()) continue;
    child->Send(WorkerMessageType::kTicketKeys, EncodeTicketKeys(ticket_keys_.pair()));
  }
}

void Supervisor::OnSecond() {
  RenewTicketKeys();
  for (Child* const child : children()) child->OnSecond();
  probe_->OnSecond();
  proxy_refusals_.OnSecond();
  SpreadLinks();
  DropLate();
}

void Supervisor::CheckReady() {
  if (!probe_->answers()) probe_->OnSecond();
  if (!NotReady().empty()) return;
  was_ready_ = true;
  const std::string text = "agents=" + agents_->address() + "\napi=" + api_->address() +
                           "\nadmin=" + admin_->address() + "\npid=" + std::to_string(::getpid()) +
                           "\n";
  const Status written = ReplaceFile(config_.run_dir() + "/ready", text);
  LogLine line(written.ok() ? LogLevel::kInfo : LogLevel::kError, "ready");
  line.Id("agents", agents_->address()).Id("api", api_->address()).Id("admin", admin_->address());
  if (!written.ok()) line.Err(written.error());
  log_.Write(line);
}

std::string Supervisor::NotReady() const {
  std::string missing;
  if (!probe_->answers()) missing += "redis: " + probe_->trouble() + "\n";
  if (!control_->ready()) missing += "control: not ready\n";
  const auto ready = std::count_if(gateways_.begin(), gateways_.end(),
                                   [](const auto& gateway) { return gateway->ready(); });
  // At first all of them; later one is enough to serve.
  if (ready == 0 || (!was_ready_ && ready < static_cast<std::int64_t>(gateways_.size()))) {
    missing += "gateways: " + std::to_string(ready) + " of " + std::to_string(gateways_.size()) +
               " ready\n";
  }
  return missing;
}

void Supervisor::Stop() {
  if (stopping_) {  // asked twice: now
    for (Child* const child : children()) child->Kill();
    return;
  }
  stopping_ = true;
  log_.Write(LogLine(LogLevel::kInfo, "stopping"));
  if (roll_) EndRoll(false, "holdfastd is stopping");
  if (scale_) EndScale(false, "holdfastd is stopping");
  UpdateAccepting();
  waiting_.clear();
  named_.clear();
  for (Child* const child : children()) {
    if (child->spec().kind == Child::Kind::kWorker) child->Drain();
  }
  ContinueStop();
}

void Supervisor::ContinueStop() {
  bool workers_ended = true;
  for (const Child* const child : children()) {
    if (child->spec().kind == Child::Kind::kWorker) workers_ended = workers_ended && child->ended();
  }
  if (stop_ticks_ == kDrainTicks) {
    for (Child* const child : children()) child->Kill();
  }
  if (!workers_ended) return;
  // Redis ends last: what the others said before they went should not meet an error.
  if (redis_ && redis_->state() == Child::State::kReady) redis_->Drain();
  if (redis_ && redis_->state() == Child::State::kWaiting) redis_->Drain();
  if (!redis_ || redis_->ended()) ev_break(loop_, EVBREAK_ALL);
}

}  // namespace holdfast::backend
