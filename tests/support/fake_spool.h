// FakeSpool: the Spool in memory. The disk outlives it; PowerCut() keeps only what was synced.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/spool.h"
#include "common/base/crc32c.h"

namespace holdfast::testing {

struct FakeSpoolDisk {
  struct Chunk {
    agent::SpoolChunk facts;
    std::string data;
  };
  struct Stream {
    std::uint64_t first = 0;
    std::deque<Chunk> chunks;
    std::size_t synced = 0;  // chunks at the front that survive a power cut
  };
  std::map<agent::StreamKey, Stream> streams;
  std::map<Digest, std::string> blobs;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
  bool is_broken = false;  // Append() and Sync() fail
  bool is_full = false;    // somebody else has filled the disk: no room, and Append() says so
  std::optional<int> appends_left;  // then Append() finds the disk full, whatever room() said
  std::uint64_t forget_every = 1;   // chunks are let go so many at a time, as a file is
  int fail_syncs = 0;  // this many calls of Sync() fail; what they should have saved is in doubt

  void PowerCut() {
    for (auto& [key, stream] : streams) stream.chunks.resize(stream.synced);
    std::erase_if(streams, [](const auto& entry) { return entry.second.chunks.empty(); });
    blobs.clear();
  }
};

class FakeSpool final : public agent::Spool {
 public:
  explicit FakeSpool(FakeSpoolDisk& disk) : disk_(disk) {}

  Status Append(const agent::StreamKey& key, std::uint64_t number, const agent::SpoolChunk& chunk,
                std::string_view data) override {
    if (disk_.is_broken) return Error{Code::kUnavailable, "input/output error"};
    if (disk_.appends_left && --*disk_.appends_left < 0) return Error{Code::kExhausted, "full"};
    if (disk_.is_full || bytes() + data.size() > disk_.max_bytes)
      return Error{Code::kExhausted, "full"};
    auto& stream = disk_.streams[key];
    if (stream.chunks.empty()) stream.first = number;
    HF_CHECK(stream.first + stream.chunks.size() == number);
    stream.chunks.push_back({chunk, std::string(data)});
    return Ok();
  }
  Result<agent::SpoolChunk> Read(const agent::StreamKey& key, std::uint64_t number,
                                 std::string& data) override {
    const auto found = disk_.streams.find(key);
    if (found == disk_.streams.end() || number < found->second.first ||
        number >= found->second.first + found->second.chunks.size()) {
      return Error{Code::kNotFound, "no such chunk"};
    }
    const auto& chunk = found->second.chunks[number - found->second.first];
    data = chunk.data;
    if (Crc32c(data) != chunk.facts.crc32c) return Error{Code::kCorrupt, "damaged"};
    return chunk.facts;
  }
  Status Sync(const agent::StreamKey& key) override {
    if (disk_.is_broken) return Error{Code::kUnavailable, "input/output error"};
    if (disk_.fail_syncs > 0) {
      --disk_.fail_syncs;
      return Error{Code::kUnavailable, "input/output error"};
    }
    const auto found = disk_.streams.find(key);
    if (found != disk_.streams.end()) found->second.synced = found->second.chunks.size();
    return Ok();
  }
  // Keeps the newest chunk: a stream without any is one that was lost.
  void Forget(const agent::StreamKey& key, std::uint64_t number) override {
    const auto found = disk_.streams.find(key);
    if (found == disk_.streams.end()) return;
    auto& stream = found->second;
    number -= number % disk_.forget_every;
    while (stream.chunks.size() > 1 && stream.first < number) {
      stream.chunks.pop_front();
      ++stream.first;
      if (stream.synced > 0) --stream.synced;
    }
  }
  void Remove(const agent::StreamKey& key) override { disk_.streams.erase(key); }
  std::uint64_t bytes() const override {
    std::uint64_t sum = 0;
    for (const auto& [key, stream] : disk_.streams) {
      for (const auto& chunk : stream.chunks) sum += chunk.data.size();
    }
    return sum;
  }
  Room room() const override {
    if (bytes() >= disk_.max_bytes) return Room::kCapReached;
    return disk_.is_full ? Room::kDiskLow : Room::kEnough;
  }
  bool full() const override { return room() != Room::kEnough; }
  std::vector<agent::SpooledStream> Streams() const override {
    std::vector<agent::SpooledStream> out;
    for (const auto& [key, stream] : disk_.streams) {
      agent::SpooledStream found;
      found.key = key;
      found.first = stream.first;
      found.end = stream.first + stream.chunks.size();
      for (const auto& chunk : stream.chunks) {
        found.sizes.push_back(static_cast<std::uint32_t>(chunk.data.size()));
      }
      out.push_back(std::move(found));
    }
    return out;
  }
  Status BlobBegin(const Digest& command) override {
    if (disk_.is_broken) return Error{Code::kUnavailable, "input/output error"};
    disk_.blobs[command].clear();
    return Ok();
  }
  Status BlobAppend(const Digest& command, std::string_view data) override {
    if (disk_.is_broken) return Error{Code::kUnavailable, "input/output error"};
    if (disk_.is_full) return Error{Code::kExhausted, "full"};
    disk_.blobs[command].append(data);
    return Ok();
  }
  std::string BlobPath(const Digest& command) const override { return "/blob/" + command.hex(); }
  void BlobRemove(const Digest& command) override { disk_.blobs.erase(command); }

 private:
  FakeSpoolDisk& disk_;
};

}  // namespace holdfast::testing
