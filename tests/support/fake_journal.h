// FakeJournal: the Journal on a disk in memory that can lose power at any write.
//
// The disk outlives the journal: a new FakeJournal on the same disk is the agent's next start. A write
// is either on the disk whole or not at all; with `crash_at`, the write with that number is the last
// thing that happens, or the first that does not: from then on nothing of this process has effect.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/core/journal.h"
#include "agent/core/limits.h"
#include "agent/core/reserve.h"

namespace holdfast::testing {

struct FakeDisk {
  agent::JournalMeta meta;
  std::vector<agent::JournalCommand> rows;  // by insertion
  std::uint64_t writes = 0;
  std::optional<std::uint64_t> crash_at;  // number of a write, from 1
  bool crash_after = false;               // that write still reaches the disk
  bool is_crashed = false;
  bool is_doubtful = false;  // the next Insert() reaches the disk and cannot say so
  int fail_next = 0;         // this many writes say kUnavailable and change nothing
  bool is_full = false;      // writes say kExhausted and change nothing,
  int spare_writes = 0;      // but for so many, for which the reserve has made room
  bool has_reserve = true;

  const agent::JournalCommand* Row(const Digest& digest) const {
    for (const auto& row : rows) {
      if (row.digest == digest) return &row;
    }
    return nullptr;
  }
};

class FakeJournal final : public agent::Journal {
 public:
  using Row = agent::JournalCommand;
  using State = agent::CommandState;
  explicit FakeJournal(FakeDisk& disk) : disk_(disk), meta_(disk.meta) {}

  const agent::JournalMeta& meta() const override { return meta_; }
  bool is_trustworthy() const override { return true; }
  Result<std::uint64_t> NextEpoch() override {
    HF_TRY(Write([&] { ++disk_.meta.epoch; }));
    return meta_.epoch;
  }
  Status SetContact(const Nonce16& contact) override {
    return Write([&] { disk_.meta.contact = contact; });
  }
  Status BeginAnew(WallTime birth) override {
    return Write([&] {
      for (Row& row : disk_.rows) agent::MakeTombstone(row);
      auto& meta = disk_.meta;
      std::string id = meta.incarnation.str();
      ++id[0];
      meta.incarnation = *Nonce16::From(id);
      meta.birth = birth;
      meta.contact.reset();
      meta.time_floor = WallTime(std::max(meta.time_floor.get(), birth.get()));
    });
  }
  Status StopCleanly() override {
    return Write([&] { disk_.meta.is_clean = true; });
  }
  Status CountRecovery(std::span<const Digest> commands) override {
    if (commands.empty()) return Ok();
    for (const Digest& digest : commands) {
      if (Find_(digest) == nullptr) return Error{Code::kNotFound, "no such command"};
    }
    return Write([&] {
      for (const Digest& digest : commands) ++Find_(digest)->recoveries;
    });
  }
  Status Insert(const Row& row, WallTime floor) override {
    if (disk_.rows.size() >= agent::kMaxJournalRows) return Error{Code::kExhausted, "full"};
    for (const Row& other : disk_.rows) {
      if (other.digest == row.digest || other.command_id == row.command_id) {
        return Error{Code::kExists, "there"};
      }
    }
    if (disk_.is_doubtful) {
      disk_.is_doubtful = false;
      disk_.rows.push_back(row);
      return Error{Code::kInternal, "input/output error"};
    }
    return Write([&] {
      disk_.rows.push_back(row);
      disk_.meta.time_floor = WallTime(std::max(disk_.meta.time_floor.get(), floor.get()));
    });
  }
  Status SetStarted(const Digest& digest, std::uint32_t attempt, WallTime at) override {
    Row* row = Find_(digest);
    if (row == nullptr) return Error{Code::kNotFound, "no such command"};
    if (row->state != State::kReceived && row->state != State::kStarted) {
      return Error{Code::kInvalid, "not from this state"};
    }
    return Write([&] {
      row->state = State::kStarted;
      row->attempt = attempt;
      row->started_at = at;
    });
  }
  Status SetDone(const Digest& digest, const Done& done) override {
    Row* row = Find_(digest);
    if (row == nullptr) return Error{Code::kNotFound, "no such command"};
    if (row->state == State::kForgotten) return Error{Code::kInvalid, "not from this state"};
    return Write([&] {
      row->state = State::kDone;
      if (row->attempt != done.attempt) row->started_at = WallTime(0);
      row->attempt = done.attempt;
      row->chunk_count = done.chunk_count;
      row->result_envelope = done.result_envelope;
      row->inline_output = done.inline_output;
    });
  }
  Status SetForgotten(const Digest& digest) override {
    Row* row = Find_(digest);
    if (row == nullptr) return Error{Code::kNotFound, "no such command"};
    return Write([&] { agent::MakeTombstone(*row); });
  }
  Result<std::optional<Row>> FindId(const CommandId& id) override {
    for (const Row& row : disk_.rows) {
      if (row.command_id == id) return std::optional(row);
    }
    return std::optional<Row>();
  }
  Result<std::optional<Row>> Find(const Digest& digest) override {
    const Row* row = Find_(digest);
    return row == nullptr ? std::optional<Row>() : std::optional(*row);
  }
  Result<std::vector<Row>> Open() override {
    std::vector<Row> open;
    for (const Row& row : disk_.rows) {
      if (row.state != State::kForgotten) open.push_back(row);
    }
    return open;
  }
  Status Purge(WallTime now) override {
    const auto keep = static_cast<std::uint64_t>(agent::kTombstoneKeep.count());
    if (now.get() <= keep) return Ok();
    return Write([&] {
      std::erase_if(disk_.rows, [&](const Row& row) {
        return row.state == State::kForgotten && row.not_after.get() < now.get() - keep;
      });
    });
  }

 private:
  Row* Find_(const Digest& digest) {
    const auto found = std::find_if(disk_.rows.begin(), disk_.rows.end(),
                                    [&](const Row& row) { return row.digest == digest; });
    return found == disk_.rows.end() ? nullptr : &*found;
  }
  template <typename Change>
  Status Write(Change change) {
    if (disk_.is_crashed) return Error{Code::kUnavailable, "the power is off"};
    if (disk_.fail_next > 0) {
      --disk_.fail_next;
      return Error{Code::kUnavailable, "the disk is full"};
    }
    if (disk_.is_full && --disk_.spare_writes < 0) {
      disk_.spare_writes = 0;
      return Error{Code::kExhausted, "database or disk is full"};
    }
    ++disk_.writes;
    const bool is_last = disk_.crash_at && disk_.writes == *disk_.crash_at;
    if (is_last) disk_.is_crashed = true;
    if (is_last && !disk_.crash_after) return Error{Code::kUnavailable, "the power is off"};
    disk_.meta.is_clean = false;
    change();
    meta_ = disk_.meta;
    if (is_last) return Error{Code::kUnavailable, "the power is off"};
    return Ok();
  }

  FakeDisk& disk_;
  agent::JournalMeta meta_;
};

// Room for a few writes.
class FakeReserve final : public agent::Reserve {
 public:
  explicit FakeReserve(FakeDisk& disk) : disk_(disk) {}
  bool is_kept() const override { return disk_.has_reserve; }
  bool Release() override {
    if (!disk_.has_reserve) return false;
    disk_.has_reserve = false;
    disk_.spare_writes = 4;
    return true;
  }
  void Keep() override { disk_.has_reserve = disk_.has_reserve || !disk_.is_full; }

 private:
  FakeDisk& disk_;
};

}  // namespace holdfast::testing
