// FakeRedis, FakeStreamTransport: streams in memory that forget, refuse, freeze and go away on demand.
//
// The conformance suite (tests/conformance/backend/stream_transport_suite.h) holds it to what the real
// adapter does. Nothing happens between calls of Turn().
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/core/stream_transport.h"

namespace holdfast::testing {

struct FakeRedis {
  struct Entry {
    std::uint64_t number;
    std::string message;
  };
  std::map<std::string, std::deque<Entry>, std::less<>> streams;
  std::set<std::string, std::less<>> wrong_type;
  bool up = true;
  bool refuses = false;  // as with OOM
  bool frozen = false;   // takes bytes, answers nothing
  std::uint64_t next_number = 1;
  std::uint64_t life = 1;  // counts restarts

  void Flush() {
    streams.clear();
    wrong_type.clear();
  }
  void Restart() {
    Flush();
    ++life;
  }
};

class FakeStreamTransport final : public backend::StreamTransport {
 public:
  FakeStreamTransport(FakeRedis& redis, std::string own_stream,
                      backend::StreamTransportDelegate& delegate)
      : redis_(redis), own_stream_(std::move(own_stream)), delegate_(delegate) {}

  void SetReading(bool on) override { reading_ = on; }

  Status Add(std::string_view stream, std::string_view message) override {
    if (!connected_) return Error{Code::kUnavailable, "no connection to Redis"};
    if (message.size() > backend::kMaxEntryBytes) return Error{Code::kInvalid, "entry too large"};
    if (refused_) return Error{Code::kUnavailable, "Redis refuses writes"};
    if (pending_bytes_ + message.size() > backend::kMaxPendingBytes) {
      return Error{Code::kExhausted, "Redis does not answer"};
    }
    pending_bytes_ += message.size();
    pending_.emplace_back(stream, message);
    return Ok();
  }
  void Trim(std::string_view stream, std::string_view up_to_and_including_id) override {
    const auto found = redis_.streams.find(stream);
    if (!connected_ || found == redis_.streams.end()) return;
    const std::uint64_t last = std::stoull(std::string(up_to_and_including_id));
    while (!found->second.empty() && found->second.front().number <= last) {
      found->second.pop_front();
    }
  }
  void Remove(std::string_view stream) override {
    if (!connected_) return;
    redis_.streams.erase(std::string(stream));
    redis_.wrong_type.erase(std::string(stream));
  }
  bool connected() const override { return connected_; }

  // What a turn of the loop brings.
  void Turn() {
    silent_turns_ = redis_.frozen ? silent_turns_ + 1 : 0;
    const bool is_silent = silent_turns_ >= kMaxSilentTurns;
    if (connected_ && (!redis_.up || is_silent || life_ != redis_.life)) Lose();
    if (!connected_ && redis_.up && !redis_.frozen) {
      connected_ = true;
      life_ = redis_.life;
      cursor_ = 0;
      delegate_.OnRestored();
    }
    if (!connected_ || redis_.frozen) return;
    Write();
    Read();
  }

 private:
  static constexpr int kMaxSilentTurns = 100;  // what the real one calls some seconds
  void Lose() {
    connected_ = refused_ = false;
    pending_.clear();
    pending_bytes_ = 0;
    delegate_.OnLost(Error{Code::kUnavailable, "gone"});
  }
  void Write() {
    refused_ = redis_.refuses;
    for (auto& [stream, message] : std::exchange(pending_, {})) {
      if (redis_.refuses || redis_.wrong_type.contains(stream)) continue;
      redis_.streams[stream].push_back({redis_.next_number++, std::move(message)});
    }
    pending_bytes_ = 0;
  }
  void Read() {
    if (!reading_) return;
    if (redis_.wrong_type.erase(own_stream_) > 0) cursor_ = 0;
    const auto found = redis_.streams.find(own_stream_);
    if (found == redis_.streams.end()) return;
    const std::deque<FakeRedis::Entry> entries = found->second;  // the delegate may trim meanwhile
    bool any = false;
    for (const FakeRedis::Entry& entry : entries) {
      if (entry.number <= cursor_) continue;
      cursor_ = entry.number;
      any = true;
      delegate_.OnEntry(std::to_string(entry.number) + "-0", entry.message);
    }
    if (any) delegate_.OnBatchEnd();
  }

  FakeRedis& redis_;
  const std::string own_stream_;
  backend::StreamTransportDelegate& delegate_;
  std::vector<std::pair<std::string, std::string>> pending_;
  std::size_t pending_bytes_ = 0;
  std::uint64_t cursor_ = 0;
  std::uint64_t life_ = 0;
  int silent_turns_ = 0;
  bool connected_ = false;
  bool refused_ = false;
  bool reading_ = true;
};

}  // namespace holdfast::testing
