// ThreadPool: the one place for work that blocks, such as fsync, beside a loop that must not.
//
//   loop: Submit(work, done) --> [threads run work] --> wake() --> loop: Drain() runs done
//
// Ordering:  with one thread, works run and their dones come out in the order submitted. With more,
//            neither. A done runs after its work, on the thread that calls Drain().
// Limits:    Options::max_queued works that have not begun: above it Submit() refuses.
// Ownership: owns its threads. The destructor runs no further work and no done: it waits for the works
//            that have begun, and drops the rest.
// Threading: Submit() and Drain() on one thread, the loop's. `wake` is called on the pool's threads and
//            must be safe there, such as lws_cancel_service(), ev_async_send() or a write to an eventfd.
// Errors:    Submit(): kExhausted; the work is not taken.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/result.h"

namespace holdfast {

class ThreadPool {
 public:
  struct Options {
    std::size_t threads = 1;       // one keeps the order; a disk gains little from more
    std::size_t max_queued = 256;  // works, each of which holds some memory of its owner
  };
  using Work = std::function<void()>;

  ThreadPool(Options options, std::function<void()> wake);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  Status Submit(Work work, Work done);
  // Runs the done of every work that has ended; returns how many.
  std::size_t Drain();
  // Works that were taken and whose done has not run: queued, running or waiting for Drain().
  std::size_t open() const { return open_; }

 private:
  struct Job {
    Work work;
    Work done;
  };
  void Run();

  const Options options_;
  const std::function<void()> wake_;
  std::size_t open_ = 0;  // loop thread only

  std::mutex mutex_;  // guards the three below
  std::deque<Job> queued_;
  std::vector<Work> ended_;
  bool stopping_ = false;
  std::condition_variable changed_;

  std::vector<std::thread> threads_;
};

}  // namespace holdfast
