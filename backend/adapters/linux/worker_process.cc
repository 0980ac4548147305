#include "backend/adapters/linux/worker_process.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <malloc.h>
#include <unistd.h>

#include "backend/adapters/linux/adoption_socket.h"
#include "backend/adapters/linux/clocks.h"

namespace holdfast::backend {
namespace {

// Chunks of 256 KiB come and go between rows that stay, and the allocator keeps the holes. What is free goes
// back to the system this often: rarely enough that a bulk transfer does not notice.
constexpr int kTrimSeconds = 60;
constexpr std::size_t kKeptBytes = std::size_t{1024} * 1024;  // at its end, for what comes next
// Several times within the second that a supervisor waits for orphans.
constexpr double kSeekSeconds = 0.1;
// Set anew each second. Above kOrphanPatience: who does not hang ends by himself, and says so.
constexpr unsigned kAlarmSeconds = 45;

std::int64_t MonotonicMicroseconds() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(struct ev_loop* loop,
                                                            WorkerProcessDelegate& delegate,
                                                            std::optional<Relatives> relatives) {
  auto page = CountersPage::Map(UniqueFd(kCountersFd));
  if (!page.ok()) return std::move(page).error().In("not started by a supervisor");
  return std::unique_ptr<WorkerProcess>(
      new WorkerProcess(loop, std::move(page).value(), delegate, std::move(relatives)));
}

WorkerProcess::WorkerProcess(struct ev_loop* loop, CountersPage page,
                             WorkerProcessDelegate& delegate, std::optional<Relatives> relatives)
    : loop_(loop), page_(std::move(page)), delegate_(delegate), relatives_(std::move(relatives)) {
  WorkerChannelDelegate& delegate_here = *this;
  channel_.emplace(loop, UniqueFd(kSupervisorFd), delegate_here);
  ev_timer_init(
      &second_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<WorkerProcess*>(timer->data)->Second();
      },
      1.0, 1.0);
  second_.data = this;
  ev_timer_start(loop_, &second_);
  ev_timer_init(
      &seek_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<WorkerProcess*>(timer->data)->Seek();
      },
      0.0, kSeekSeconds);
  seek_.data = this;

  ev_check_init(&check_, [](struct ev_loop*, ev_check* check, int) {
    auto* const self = static_cast<WorkerProcess*>(check->data);
    self->turn_started_us_ = MonotonicMicroseconds();
    self->delegate_.OnTurnStart();
  });
  ev_set_priority(&check_, EV_MAXPRI);  // before the sockets
  check_.data = this;
  ev_check_start(loop_, &check_);

  ev_prepare_init(&prepare_, [](struct ev_loop*, ev_prepare* prepare, int) {
    auto* const self = static_cast<WorkerProcess*>(prepare->data);
    self->delegate_.OnTurnEnd();
    const std::int64_t turn_us = MonotonicMicroseconds() - self->turn_started_us_;
    self->longest_us_ = std::max(self->longest_us_, turn_us);
  });
  prepare_.data = this;
  ev_prepare_start(loop_, &prepare_);
  turn_started_us_ = MonotonicMicroseconds();
}

WorkerProcess::~WorkerProcess() {
  ev_prepare_stop(loop_, &prepare_);
  ev_check_stop(loop_, &check_);
  ev_timer_stop(loop_, &second_);
  ev_timer_stop(loop_, &seek_);
}

Status WorkerProcess::Send(WorkerMessageType type, std::string_view payload) {
  if (!channel_) return Error{Code::kUnavailable, "there is no supervisor"};
  return channel_->Send(type, payload);
}

void WorkerProcess::StillStarts() {
  constexpr std::int64_t kSecondUs = 1'000'000;
  // Later, silence of a second is what the watchdog is for.
  if (is_ready_ || MonotonicMicroseconds() - said_alive_us_ < kSecondUs) return;
  said_alive_us_ = MonotonicMicroseconds();
  static_cast<void>(Send(WorkerMessageType::kAlive, ""));
}

void WorkerProcess::SendReady() {
  is_ready_ = true;
  counters().Set(Counter::kState, 1);
  // A supervisor that does not read is one that is gone; OnWorkerChannelEnd follows.
  static_cast<void>(Send(WorkerMessageType::kReady, ""));
}

void WorkerProcess::Second() {
  static_cast<void>(Send(WorkerMessageType::kAlive, ""));
  if (relatives_ && is_ready_ && (channel_ || finishes_)) ::alarm(kAlarmSeconds);
  counters().Set(Counter::kLoopLagUs, static_cast<std::uint64_t>(std::exchange(longest_us_, 0)));
  if (++seconds_ % kTrimSeconds == 0) ::malloc_trim(kKeptBytes);
  delegate_.OnSecond();
}

void WorkerProcess::OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) {
  delegate_.OnWorkerMessage(type, payload, std::move(fd));
}

void WorkerProcess::OnWorkerChannelEnd() {
  channel_.reset();
  const WithoutSupervisor now =
      relatives_ && is_ready_ ? delegate_.OnSupervisorGone() : WithoutSupervisor::kEnds;
  switch (now) {
    case WithoutSupervisor::kEnds: return ev_break(loop_, EVBREAK_ALL);
    case WithoutSupervisor::kFinishes: finishes_ = true; return;
    case WithoutSupervisor::kSeeks: break;
  }
  sought_until_ = MonotonicNow() + kOrphanPatience;
  ev_timer_again(loop_, &seek_);
}

void WorkerProcess::Seek() {
  auto channel = SeekSupervisor(relatives_->adoption_socket, relatives_->introduction, page_.fd(),
                                relatives_->config);
  if (!channel.ok()) {
    if (MonotonicNow() >= sought_until_) ev_break(loop_, EVBREAK_ALL);
    return;
  }
  ev_timer_stop(loop_, &seek_);
  WorkerChannelDelegate& here = *this;
  channel_.emplace(loop_, std::move(channel).value(), here);
}

}  // namespace holdfast::backend
