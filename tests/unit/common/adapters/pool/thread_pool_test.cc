#include "common/adapters/pool/thread_pool.h"

#include <future>
#include <semaphore>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

// Stands for an event loop: sleeps until woken, then drains.
class Loop {
 public:
  void Wake() { woken_.release(); }
  void RunUntilIdle(ThreadPool& pool) {
    while (pool.open() > 0) {
      woken_.acquire();
      pool.Drain();
    }
  }

 private:
  std::counting_semaphore<> woken_{0};
};

TEST(ThreadPoolTest, RunsWorkElsewhereAndDoneOnTheLoopInOrder) {
  Loop loop;
  ThreadPool pool({}, [&] { loop.Wake(); });
  std::vector<int> worked;
  std::vector<int> done;
  std::thread::id worker;
  bool done_on_loop = true;
  const std::thread::id loop_thread = std::this_thread::get_id();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(pool.Submit(
                        [&, i] {
                          worked.push_back(i);
                          worker = std::this_thread::get_id();
                        },
                        [&, i] {
                          done.push_back(i);
                          done_on_loop &= std::this_thread::get_id() == loop_thread;
                        })
                    .ok());
  }
  loop.RunUntilIdle(pool);
  EXPECT_EQ(done.size(), 100U);
  EXPECT_EQ(done, worked);
  EXPECT_NE(worker, loop_thread);
  EXPECT_TRUE(done_on_loop);
}

TEST(ThreadPoolTest, RefusesWorkAboveItsBoundAndTakesItAgainLater) {
  Loop loop;
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  std::promise<void> begun;
  ThreadPool pool({.threads = 1, .max_queued = 2}, [&] { loop.Wake(); });
  ASSERT_TRUE(pool.Submit(
                      [&] {
                        begun.set_value();
                        opened.wait();
                      },
                      [] {})
                  .ok());
  begun.get_future().wait();  // it runs, hence is no longer queued
  EXPECT_TRUE(pool.Submit([] {}, [] {}).ok());
  EXPECT_TRUE(pool.Submit([] {}, [] {}).ok());
  const Status refused = pool.Submit([] {}, [] {});
  EXPECT_EQ(refused.ok() ? Code::kInternal : refused.error().code, Code::kExhausted);
  EXPECT_EQ(pool.open(), 3U);
  gate.set_value();
  loop.RunUntilIdle(pool);
  EXPECT_TRUE(pool.Submit([] {}, [] {}).ok());
  loop.RunUntilIdle(pool);
}

TEST(ThreadPoolTest, WorksOnAsManyThreadsAsAsked) {
  Loop loop;
  std::promise<void> first;
  std::promise<void> second;
  ThreadPool pool({.threads = 2, .max_queued = 8}, [&] { loop.Wake(); });
  // Each waits for the other: on one thread this would hang.
  ASSERT_TRUE(pool.Submit([&] { first.set_value(), second.get_future().wait(); }, [] {}).ok());
  ASSERT_TRUE(pool.Submit([&] { second.set_value(), first.get_future().wait(); }, [] {}).ok());
  loop.RunUntilIdle(pool);
}

TEST(ThreadPoolTest, ADoneMaySubmitMore) {
  Loop loop;
  ThreadPool pool({}, [&] { loop.Wake(); });
  int done = 0;
  ASSERT_TRUE(pool.Submit([] {},
                          [&] {
                            ++done;
                            EXPECT_TRUE(pool.Submit([] {}, [&] { ++done; }).ok());
                          })
                  .ok());
  loop.RunUntilIdle(pool);
  EXPECT_EQ(done, 2);
}

TEST(ThreadPoolTest, TheDestructorWaitsForWhatHasBegunAndDropsTheRest) {
  bool ended = false;
  bool done_ran = false;
  std::promise<void> begun;
  std::promise<void> gate;
  std::thread opener;
  {
    ThreadPool pool({}, [] {});
    ASSERT_TRUE(pool.Submit(
                        [&] {
                          begun.set_value();
                          gate.get_future().wait();
                          ended = true;
                        },
                        [&] { done_ran = true; })
                    .ok());
    begun.get_future().wait();
    ASSERT_TRUE(pool.Submit([] {}, [&] { done_ran = true; }).ok());
    opener = std::thread([&] { gate.set_value(); });
  }
  opener.join();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(done_ran);
}

}  // namespace
}  // namespace holdfast
