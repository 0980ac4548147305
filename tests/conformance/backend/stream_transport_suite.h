// What every StreamTransport does, the fake and the real one alike.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/core/stream_transport.h"

namespace holdfast::testing {

// A Redis and the transports on it, as the suite needs them.
class StreamWorld {
 public:
  virtual ~StreamWorld() = default;
  virtual std::unique_ptr<backend::StreamTransport> Make(
      std::string own_stream, backend::StreamTransportDelegate& delegate) = 0;
  virtual void Turn() = 0;  // lets a little happen
  virtual void Flush() = 0;
  virtual void Restart() = 0;  // everything is forgotten, connections break
  virtual void MakeWrongType(const std::string& key) = 0;
  virtual void SetRefusing(bool on) = 0;
  virtual void SetFrozen(bool on) = 0;
};
using StreamWorldMaker = std::function<std::unique_ptr<StreamWorld>()>;

struct RecordingDelegate : backend::StreamTransportDelegate {
  void OnEntry(std::string_view id, std::string_view message) override {
    ids.emplace_back(id);
    messages.emplace_back(message);
    open_batch = true;
  }
  void OnBatchEnd() override {
    EXPECT_TRUE(open_batch);
    open_batch = false;
    ++batches;
  }
  void OnLost(const Error& why) override {
    EXPECT_EQ(why.code, Code::kUnavailable);
    ++lost;
  }
  void OnRestored() override { ++restored; }
  void OnDenied(const Error& why) override {
    EXPECT_EQ(why.code, Code::kDenied);
    denied.push_back(why.message);
  }
  std::vector<std::string> ids;
  std::vector<std::string> messages;
  std::vector<std::string> denied;
  int batches = 0;
  int lost = 0;
  int restored = 0;
  bool open_batch = false;
};

class StreamTransportSuite : public ::testing::TestWithParam<StreamWorldMaker> {
 protected:
  void SetUp() override {
    world_ = GetParam()();
    ASSERT_NE(world_, nullptr);
    sender_ = world_->Make(backend::GatewayStream("test.g0.00000000"), sender_events_);
    reader_ = world_->Make(kStream, events_);
    ASSERT_TRUE(Until([&] { return sender_->connected() && reader_->connected(); }));
  }
  bool Until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      world_->Turn();
    }
    return true;
  }
  bool Received(std::size_t count) {
    return Until([&] { return events_.messages.size() >= count; });
  }

  const std::string kStream = backend::ControlStream("test.c0.00000000");
  std::unique_ptr<StreamWorld> world_;
  RecordingDelegate sender_events_;
  RecordingDelegate events_;
  std::unique_ptr<backend::StreamTransport> sender_;
  std::unique_ptr<backend::StreamTransport> reader_;
};

TEST_P(StreamTransportSuite, DeliversInTheOrderAdded) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(sender_->Add(kStream, std::to_string(i)).ok());
  ASSERT_TRUE(Received(300));
  for (std::size_t i = 0; i < 300; ++i) EXPECT_EQ(events_.messages[i], std::to_string(i));
  EXPECT_GT(events_.batches, 0);
  EXPECT_FALSE(events_.open_batch);
  EXPECT_EQ(events_.restored, 1);
  EXPECT_EQ(events_.lost, 0);
}

TEST_P(StreamTransportSuite, CarriesAnyBytesUpToTheLimit) {
  std::string all(256, '\0');
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i);
  const std::string large(backend::kMaxEntryBytes, 'x');
  ASSERT_TRUE(sender_->Add(kStream, all).ok());
  ASSERT_TRUE(sender_->Add(kStream, large).ok());
  EXPECT_FALSE(sender_->Add(kStream, large + "x").ok());
  ASSERT_TRUE(Received(2));
  EXPECT_EQ(events_.messages[0], all);
  EXPECT_TRUE(events_.messages[1] == large);
}

TEST_P(StreamTransportSuite, StopsAndGoesOnReading) {
  reader_->SetReading(false);
  // A read that waits already may still bring one batch.
  ASSERT_TRUE(sender_->Add(kStream, "first").ok());
  for (int i = 0; i < 20; ++i) world_->Turn();
  ASSERT_TRUE(sender_->Add(kStream, "second").ok());
  for (int i = 0; i < 20; ++i) world_->Turn();
  EXPECT_LE(events_.messages.size(), 1U);
  reader_->SetReading(true);
  ASSERT_TRUE(Received(2));
  EXPECT_EQ(events_.messages.back(), "second");
}

TEST_P(StreamTransportSuite, TrimForgetsUpToAndIncludingTheId) {
  for (const char* text : {"a", "b", "c"}) ASSERT_TRUE(sender_->Add(kStream, text).ok());
  ASSERT_TRUE(Received(3));
  reader_->Trim(kStream, events_.ids[1]);
  for (int i = 0; i < 20; ++i) world_->Turn();
  reader_.reset();
  RecordingDelegate again;
  reader_ = world_->Make(kStream, again);
  ASSERT_TRUE(Until([&] { return !again.messages.empty(); }));
  EXPECT_EQ(again.messages, std::vector<std::string>{"c"});
  reader_.reset();
}

TEST_P(StreamTransportSuite, RemoveForgetsTheStream) {
  ASSERT_TRUE(sender_->Add(kStream, "old").ok());
  ASSERT_TRUE(Received(1));
  sender_->Remove(kStream);
  for (int i = 0; i < 20; ++i) world_->Turn();
  ASSERT_TRUE(sender_->Add(kStream, "new").ok());
  ASSERT_TRUE(Received(2));
  EXPECT_EQ(events_.messages[1], "new");
}

TEST_P(StreamTransportSuite, GoesOnAfterEverythingWasFlushed) {
  ASSERT_TRUE(sender_->Add(kStream, "before").ok());
  ASSERT_TRUE(Received(1));
  world_->Flush();
  // Ids are milliseconds: within the same one, a new stream would repeat the id that was read last.
  for (int i = 0; i < 4; ++i) world_->Turn();
  ASSERT_TRUE(sender_->Add(kStream, "after").ok());
  ASSERT_TRUE(Received(2));
  EXPECT_EQ(events_.messages[1], "after");
}

TEST_P(StreamTransportSuite, ComesBackAfterARestartAndReadsFromTheStart) {
  ASSERT_TRUE(sender_->Add(kStream, "before").ok());
  ASSERT_TRUE(Received(1));
  world_->Restart();
  ASSERT_TRUE(Until([&] { return events_.lost == 1 && events_.restored == 2; }));
  ASSERT_TRUE(Until([&] { return sender_->Add(kStream, "after").ok(); }));
  ASSERT_TRUE(Received(2));
  EXPECT_EQ(events_.messages.back(), "after");
  EXPECT_EQ(events_.lost, 1);
}

TEST_P(StreamTransportSuite, RepairsItsOwnStreamOfTheWrongType) {
  world_->MakeWrongType(kStream);
  ASSERT_TRUE(Until([&] {
    if (events_.messages.empty()) static_cast<void>(sender_->Add(kStream, "again"));
    return !events_.messages.empty();
  }));
}

TEST_P(StreamTransportSuite, SaysSoWhileRedisRefusesToWrite) {
  world_->SetRefusing(true);
  ASSERT_TRUE(Until([&] {
    const Status added = sender_->Add(kStream, std::string(4096, 'x'));
    return !added.ok() && added.error().code == Code::kUnavailable;
  }));
  world_->SetRefusing(false);
  ASSERT_TRUE(Until([&] { return sender_->Add(kStream, "last").ok(); }));
  ASSERT_TRUE(
      Until([&] { return !events_.messages.empty() && events_.messages.back() == "last"; }));
  EXPECT_EQ(sender_events_.lost, 0);
}

TEST_P(StreamTransportSuite, BoundsWhatWaitsForAFrozenRedis) {
  world_->SetFrozen(true);
  const std::string large(backend::kMaxEntryBytes, 'x');
  const std::size_t fit = backend::kMaxPendingBytes / backend::kMaxEntryBytes;
  for (std::size_t i = 0; i < fit; ++i) ASSERT_TRUE(sender_->Add(kStream, large).ok()) << i;
  const Status over = sender_->Add(kStream, large);
  ASSERT_FALSE(over.ok());
  EXPECT_EQ(over.error().code, Code::kExhausted);
  world_->SetFrozen(false);
  EXPECT_TRUE(Received(fit));
  EXPECT_EQ(sender_events_.lost, 0);
}

// Its sockets stand and take bytes: only the missing answers tell.
TEST_P(StreamTransportSuite, TakesAFrozenRedisForLostAndComesBackWhenItThaws) {
  ASSERT_TRUE(sender_->Add(kStream, "before").ok());
  ASSERT_TRUE(Received(1));
  world_->SetFrozen(true);
  ASSERT_TRUE(Until([&] { return events_.lost == 1 && sender_events_.lost == 1; }));
  EXPECT_FALSE(reader_->connected());
  EXPECT_EQ(sender_->Add(kStream, "frozen").error().code, Code::kUnavailable);
  for (int i = 0; i < 200; ++i) world_->Turn();  // and is told once
  world_->SetFrozen(false);
  ASSERT_TRUE(Until([&] { return events_.restored == 2 && sender_events_.restored == 2; }));
  EXPECT_EQ(events_.lost, 1);
  EXPECT_EQ(sender_events_.lost, 1);
  ASSERT_TRUE(sender_->Add(kStream, "after").ok());
  ASSERT_TRUE(Until([&] { return events_.messages.back() == "after"; }));
}

}  // namespace holdfast::testing
