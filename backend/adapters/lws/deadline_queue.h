// DeadlineQueue: links that wait for something for the same fixed time, the longest waiting first.
//
// All members of one queue wait equally long, so the queue is sorted as it grows, and asking for
// what is due costs nothing while nothing is. libwebsockets' own timers are a sorted list scanned
// from its head at each insert (scale.md rule 3).
//
// Ownership: intrusive; owns nothing. A member removes itself before it dies.
// Threading: loop thread only.
#pragma once

#include <cstdint>

namespace holdfast::backend {

class DeadlineQueue;

// Inherited by what waits. A member is in one queue at most.
class DeadlineMember {
 public:
  DeadlineMember() = default;
  DeadlineMember(const DeadlineMember&) = delete;
  DeadlineMember& operator=(const DeadlineMember&) = delete;
  ~DeadlineMember() { Leave(); }
  bool waiting_in(const DeadlineQueue& queue) const { return queue_ == &queue; }
  void Leave();

 private:
  friend class DeadlineQueue;
  DeadlineQueue* queue_ = nullptr;
  DeadlineMember* before_ = nullptr;
  DeadlineMember* after_ = nullptr;
  std::uint32_t since_s_ = 0;
};

class DeadlineQueue {
 public:
  explicit DeadlineQueue(std::uint32_t wait_s) : wait_s_(wait_s) {}

  // Starts the wait anew, also for a member of another queue.
  void Join(DeadlineMember& member, std::uint32_t now_s) {
    member.Leave();
    member.queue_ = this;
    member.since_s_ = now_s;
    member.before_ = last_;
    (last_ != nullptr ? last_->after_ : first_) = &member;
    last_ = &member;
  }
  // The first member whose wait is over, out of the queue; null if there is none.
  DeadlineMember* TakeDue(std::uint32_t now_s) {
    if (first_ == nullptr || now_s - first_->since_s_ < wait_s_) return nullptr;
    DeadlineMember* const due = first_;
    due->Leave();
    return due;
  }
  bool empty() const { return first_ == nullptr; }

 private:
  friend class DeadlineMember;
  const std::uint32_t wait_s_;
  DeadlineMember* first_ = nullptr;
  DeadlineMember* last_ = nullptr;
};

inline void DeadlineMember::Leave() {
  if (queue_ == nullptr) return;
  (before_ != nullptr ? before_->after_ : queue_->first_) = after_;
  (after_ != nullptr ? after_->before_ : queue_->last_) = before_;
  queue_ = nullptr;
  before_ = after_ = nullptr;
}

}  // namespace holdfast::backend
