#include "tests/bench/seed/echo/echo_supervisor.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <ev.h>
#include <sys/resource.h>

#include "backend/adapters/linux/spawn.h"

namespace holdfast::bench {
namespace {

using backend::Counter;
using backend::WorkerMessageType;

constexpr int kAcceptsPerTurn = 64;  // as the supervisor
// Of one worker, sockets that it has not opened yet. Its channel holds some 270; further ones would be lost.
constexpr std::uint64_t kMaxHandshakes = 128;
// So long the backlog waits when the emptiest worker is at that.
constexpr double kPauseSeconds = 0.001;

std::uint64_t Descriptors() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace

class EchoSupervisor::Worker final : private backend::WorkerChannelDelegate {
 public:
  explicit Worker(EchoSupervisor& owner) : owner_(owner) {}
  Status Start() {
    HF_ASSIGN_OR_RETURN(backend::CountersPage page, backend::CountersPage::Make());
    page_ = std::move(page);
    HF_ASSIGN_OR_RETURN(auto pair, backend::WorkerChannel::MakePair());
    backend::WorkerChannelDelegate& here = *this;
    channel_.emplace(owner_.loop_, std::move(pair.first), here);
    backend::SpawnOptions how;
    how.program = "/proc/self/exe";
    how.argv = owner_.options_.worker_argv;
    how.inherited_fds = {pair.second.get(), page_->fd()};  // kSupervisorFd, kCountersFd
    HF_TRY(backend::Spawn(how));
    return Ok();
  }
  bool SendSocket(const backend::Listener::Accepted& accepted) {
    if (!channel_->Send(WorkerMessageType::kAgentSocket, accepted.peer_address, accepted.fd.get())
             .ok()) {
      return false;
    }
    ++sent_sockets_;
    return true;
  }
  std::uint64_t sockets() const {
    const std::uint64_t closed = page_->block().Get(Counter::kClosedBase);
    return sent_sockets_ - std::min(closed, sent_sockets_);
  }
  std::uint64_t handshakes() const {
    return sockets() - std::min(page_->block().Get(Counter::kLinks), sockets());
  }
  bool ready() const { return ready_; }

 private:
  void OnWorkerMessage(WorkerMessageType type, std::string_view /*payload*/,
                       backend::UniqueFd /*fd*/) override {
    if (type != WorkerMessageType::kReady) return;
    ready_ = true;
    owner_.OnWorkerReady();
  }
  void OnWorkerChannelEnd() override { ev_break(owner_.loop_, EVBREAK_ALL); }

  EchoSupervisor& owner_;
  std::optional<backend::CountersPage> page_;
  std::optional<backend::WorkerChannel> channel_;
  std::uint64_t sent_sockets_ = 0;
  bool ready_ = false;
};

EchoSupervisor::EchoSupervisor(struct ev_loop* loop, Options options)
    : loop_(loop), options_(std::move(options)), placement_(backend::MaxSockets(0, Descriptors())) {
  ev_timer_init(
      &pause_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<EchoSupervisor*>(timer->data)->listener_->SetAccepting(true);
      },
      0.0, 0.0);
  pause_.data = this;
}

EchoSupervisor::~EchoSupervisor() { ev_timer_stop(loop_, &pause_); }

Status EchoSupervisor::Start() {
  HF_ASSIGN_OR_RETURN(listener_, backend::Listener::Open(loop_, options_.listen, *this));
  for (std::uint32_t i = 0; i < options_.workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(*this));
    HF_TRY(workers_.back()->Start());
  }
  return Ok();
}

void EchoSupervisor::OnWorkerReady() {
  if (!std::all_of(workers_.begin(), workers_.end(),
                   [](const auto& one) { return one->ready(); })) {
    return;
  }
  listener_->SetAccepting(true);
  std::printf("ready %s\n", listener_->address().c_str());
  std::fflush(stdout);
}

std::vector<backend::GatewayLoad> EchoSupervisor::Loads() const {
  std::vector<backend::GatewayLoad> loads;
  loads.reserve(workers_.size());
  for (const auto& worker : workers_) loads.push_back({worker->ready(), worker->sockets()});
  return loads;
}

void EchoSupervisor::OnAcceptable(backend::Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const auto to = placement_.Pick(Loads());
    // Another one could take it now, but then links would lie where processors happened to be.
    if (!to || workers_[*to]->handshakes() >= kMaxHandshakes) return Pause();
    const auto accepted = listener.Accept();
    if (!accepted) return;
    if (!workers_[*to]->SendSocket(*accepted)) return Pause();  // closed: its client dials again
  }
}

void EchoSupervisor::Pause() {
  listener_->SetAccepting(false);
  ev_timer_set(&pause_, kPauseSeconds, 0.0);
  ev_timer_start(loop_, &pause_);
}

}  // namespace holdfast::bench
