#include "backend/adapters/linux/worker_process.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <malloc.h>

namespace holdfast::backend {
namespace {

// Chunks of 256 KiB come and go between rows that stay, and the allocator keeps the holes. What is free goes
// back to the system this often: rarely enough that a bulk transfer does not notice.
constexpr int kTrimSeconds = 60;
constexpr std::size_t kKeptBytes = std::size_t{1024} * 1024;  // at its end, for what comes next

std::int64_t MonotonicMicroseconds() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(struct ev_loop* loop,
                                                            WorkerProcessDelegate& delegate) {
  auto page = CountersPage::Map(UniqueFd(kCountersFd));
  if (!page.ok()) return std::move(page).error().In("not started by a supervisor");
  return std::unique_ptr<WorkerProcess>(new WorkerProcess(loop, std::move(page).value(), delegate));
}

WorkerProcess::WorkerProcess(struct ev_loop* loop, CountersPage page,
                             WorkerProcessDelegate& delegate)
    : loop_(loop), page_(std::move(page)), delegate_(delegate) {
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
}

void WorkerProcess::StillStarts() {
  constexpr std::int64_t kSecondUs = 1'000'000;
  // Later, silence of a second is what the watchdog is for.
  if (is_ready_ || MonotonicMicroseconds() - said_alive_us_ < kSecondUs) return;
  said_alive_us_ = MonotonicMicroseconds();
  static_cast<void>(channel_->Send(WorkerMessageType::kAlive, ""));
}

void WorkerProcess::SendReady() {
  is_ready_ = true;
  counters().Set(Counter::kState, 1);
  // A supervisor that does not read is one that is gone; OnWorkerChannelEnd follows.
  static_cast<void>(channel_->Send(WorkerMessageType::kReady, ""));
}

void WorkerProcess::Second() {
  static_cast<void>(channel_->Send(WorkerMessageType::kAlive, ""));
  counters().Set(Counter::kLoopLagUs, static_cast<std::uint64_t>(std::exchange(longest_us_, 0)));
  if (++seconds_ % kTrimSeconds == 0) ::malloc_trim(kKeptBytes);
  delegate_.OnSecond();
}

void WorkerProcess::OnWorkerMessage(WorkerMessageType type, std::string_view payload, UniqueFd fd) {
  delegate_.OnWorkerMessage(type, payload, std::move(fd));
}

void WorkerProcess::OnWorkerChannelEnd() { ev_break(loop_, EVBREAK_ALL); }

}  // namespace holdfast::backend
