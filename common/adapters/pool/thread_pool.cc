#include "common/adapters/pool/thread_pool.h"

#include <utility>

namespace holdfast {

ThreadPool::ThreadPool(Options options, std::function<void()> wake)
    : options_(options), wake_(std::move(wake)) {
  threads_.reserve(options_.threads);
  for (std::size_t i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Status ThreadPool::Submit(Work work, Work done) {
  {
    const std::lock_guard lock(mutex_);
    if (queued_.size() >= options_.max_queued) {
      return Error{Code::kExhausted, "too much blocking work is queued"};
    }
    queued_.push_back({std::move(work), std::move(done)});
  }
  ++open_;
  changed_.notify_one();
  return Ok();
}

std::size_t ThreadPool::Drain() {
  std::vector<Work> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(ended_);
  }
  open_ -= ended.size();
  for (const Work& done : ended) done();
  return ended.size();
}

void ThreadPool::Run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    if (stopping_) return;
    Job job = std::move(queued_.front());
    queued_.pop_front();
    lock.unlock();
    job.work();
    lock.lock();
    ended_.push_back(std::move(job.done));
    lock.unlock();
    wake_();
  }
}

}  // namespace holdfast
