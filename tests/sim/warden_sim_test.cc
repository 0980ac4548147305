// A warden against a scripted control, over many seeds: records and acks get lost and doubled, the link
// is cut, the disk refuses, the process dies at any write, the power goes. Checked in each run:
//
//   I1  every command reaches exactly one end            I2  at most one run, unless idempotent
//   I3  output at control = output of the worker          I4  nothing runs before STARTED is on disk
//   a journal put back to an older copy runs nothing again
//   liveness: once the faults stop, everything ends, and agent, journal and spool are empty again
//
// and over all runs that the faults really happened.
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/link/stream_receiver.h"
#include "tests/support/warden_rig.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::command::v1;
using ::holdfast::testing::WardenRig;
using link::StreamReceiver;

struct Totals {
  int crashes = 0, power_cuts = 0, cuts = 0, refusing_disks = 0, interrupted = 0, reruns = 0;
  int duplicates = 0, lost = 0, done = 0, paused = 0, failed_syncs = 0;
  int full_disks = 0, poisoned = 0, reverted = 0, journals_lost = 0;
};

struct Target {
  std::string envelope;
  Digest digest;
  bool is_idempotent = false;
  // Effects, and what each attempt's worker wrote.
  int runs = 0;
  std::map<std::uint32_t, std::string> written;
  // Control's side.
  StreamReceiver receiver{StreamReceiver::Position{}};
  std::string stored;
  std::uint32_t attempt = 0;
  int ends = 0;
  bool was_sent = false;
  bool is_lost = false;  // control ended it when the journal went back in time
  pb::Result result;
};

struct LiveWorker {
  WorkerId id;
  std::size_t target;
  std::uint32_t attempt;
};

class World {
 public:
  World(std::uint32_t seed, Totals& totals) : rig_(seed), random_(seed), totals_(totals) {
    for (char id = 0; id < 6; ++id) {
      auto command = rig_.Query(static_cast<char>('a' + id));
      command.set_not_after_ms(testing::kNowMs + 20 * testing::kHourMs);
      command.set_idempotent(id % 2 == 0);
      Target target;
      target.is_idempotent = command.idempotent();
      target.envelope = rig_.Sign(command);
      target.digest = rig_.DigestOf(target.envelope);
      targets_.push_back(std::move(target));
    }
    rig_.workers.on_spawn = [this](const WorkerStart& start) { return OnSpawn(start); };
  }

  void Run() {
    for (int step = 0; step < 250; ++step) Step();
    Heal();
    // A tombstone that the disk refused is made up for at the next start.
    rig_.Restart();
    is_open_ = false;
    Heal();
    Check();
  }

 private:
  bool Chance(unsigned percent) { return random_() % 100 < percent; }

  bool OnSpawn(const WorkerStart& start) {
    if (rig_.disk.is_crashed) return false;
    pb::Command command;
    EXPECT_TRUE(command.ParseFromString(start.command));
    const auto index = static_cast<std::size_t>(command.command_id()[0] - 'a');
    Target& target = targets_.at(index);
    const JournalCommand* row = rig_.disk.Row(target.digest);
    EXPECT_TRUE(row != nullptr && row->state == CommandState::kStarted) << "ran unjournaled";
    if (row == nullptr) return false;
    ++target.runs;
    if (row->attempt > 1) ++totals_.reruns;
    target.written[row->attempt].clear();
    live_.push_back({start.id, index, row->attempt});
    return true;
  }

  void Step() {
    switch (random_() % 14) {
      case 0: return Cut();
      case 1:
      case 2: return Reopen();
      case 3:
      case 4: return DeliverOne();
      case 5:
      case 6: return TakeUps(true);
      case 7: return SendAck(true);
      case 8: return WorkerStep();
      case 9: return Guarded([&] { rig_.Advance(Duration(1 + random_() % 12'000)); });
      case 10:
        if (Chance(70)) return;
        rig_.disk.crash_at = rig_.disk.writes + 1 + random_() % 4;
        rig_.disk.crash_after = Chance(50);
        return;
      case 12: return Snapshot();
      case 11:
        if (Chance(50)) return;
        rig_.spool_disk.is_full = !rig_.spool_disk.is_full && Chance(60);
        rig_.disk.is_full = rig_.spool_disk.is_full && Chance(30);
        totals_.full_disks += rig_.disk.is_full ? 1 : 0;
        rig_.spool_disk.fail_syncs = Chance(20) ? 1 : 0;
        totals_.failed_syncs += rig_.spool_disk.fail_syncs;
        return;
      default:
        if (Chance(85)) return;
        rig_.disk.fail_next = 1 + static_cast<int>(random_() % 2);
        ++totals_.refusing_disks;
    }
  }

  // Runs one input; if the process died in it, starts the next one.
  template <typename Input>
  void Guarded(Input input) {
    input();
    if (!rig_.disk.is_crashed) return;
    ++totals_.crashes;
    if (Chance(40)) {
      rig_.spool_disk.PowerCut();
      ++totals_.power_cuts;
    }
    Die();
  }

  void Die() {
    live_.clear();
    acks_.clear();
    is_open_ = false;
    rig_.disk.fail_next = 0;
    rig_.Restart();
  }

  void Cut() {
    if (!is_open_ || Chance(60)) return;
    ++totals_.cuts;
    is_open_ = false;
    acks_.clear();
    Guarded([&] { rig_.Close(); });
  }

  void Reopen() {
    if (is_open_) return;
    if (is_reverted_) return Guarded([&] { TellReverted(); });
    Guarded([&] {
      rig_.Open();
      is_open_ = rig_.warden->is_open();
    });
  }

  // The machine's disk is kept, and once, much later, put back.
  void Snapshot() {
    if (rig_.disk.is_crashed || totals_.reverted > reverts_before_) return;
    if (!snapshot_ && Chance(20)) snapshot_.emplace(rig_.disk, rig_.spool_disk);
    if (!snapshot_ || !Chance(5)) return;
    rig_.disk = snapshot_->first;
    rig_.spool_disk = snapshot_->second;
    rig_.disk.fail_next = 0;
    ++totals_.reverted;
    is_reverted_ = true;
    Die();
  }

  // Control sees by the contact that this journal has forgotten what it may have run.
  void TellReverted() {
    const Nonce16 before = rig_.disk.meta.incarnation;
    rig_.Dial();
    ::holdfast::link::v1::Frame welcome;
    welcome.mutable_welcome()->set_epoch(rig_.disk.meta.epoch);
    welcome.mutable_welcome()->set_contact(std::string(16, 'r'));
    welcome.mutable_welcome()->set_journal_reverted(true);
    rig_.Send(welcome, rig_.disk.meta.epoch);
    EXPECT_FALSE(rig_.warden->is_open());
    rig_.Close();
    if (rig_.disk.meta.incarnation == before)
      return;  // the disk refused: the next dial is told again
    is_reverted_ = false;
    live_.clear();
    for (Target& target : targets_) {
      if (!target.was_sent || target.ends > 0) continue;
      target.is_lost = true;
      ++target.ends;
      ++totals_.journals_lost;
    }
  }

  void DeliverOne() {
    if (!is_open_) return;
    Target& target = targets_[random_() % targets_.size()];
    // What was refused and could not be journaled is not delivered again:
    // docs/decisions/0014-the-journal-seals-its-rows.md
    if (target.ends > 0 && target.result.outcome() == pb::OUTCOME_REFUSED &&
        rig_.disk.Row(target.digest) == nullptr) {
      return;
    }
    target.was_sent = true;
    Guarded([&] { rig_.Deliver(target.envelope); });
  }

  // Control takes what came up, in order; some of it got lost or came twice.
  void TakeUps(bool faulty) {
    const auto ups = std::exchange(rig_.ups, {});
    for (const auto& other : std::exchange(rig_.others, {})) {
      for (const auto& ref : other.sync().streams()) {
        Target& target = Find(ref.digest());
        target.receiver.OnSync(ref.attempt());
        OweAck(target);
      }
    }
    for (const auto& up : ups) {
      if (faulty && Chance(10)) {
        ++totals_.lost;
        continue;
      }
      Store(up);
      if (faulty && Chance(10)) Store(up);
    }
  }

  void Store(const WardenRig::Up& up) {
    Target& target = Find(up.digest());
    const auto verdict = target.receiver.OnRecord(up.attempt(), up.seq());
    if (target.is_lost) {  // what comes now changes nothing
      target.receiver.OnDurable();
      return OweAck(target);
    }
    if (verdict == StreamReceiver::Verdict::kDuplicate) ++totals_.duplicates;
    if (verdict == StreamReceiver::Verdict::kNewAttempt) target.stored.clear();
    if (verdict == StreamReceiver::Verdict::kStore ||
        verdict == StreamReceiver::Verdict::kNewAttempt) {
      target.attempt = up.attempt();
      if (up.has_chunk()) {
        EXPECT_EQ(up.chunk().offset(), target.stored.size());
        target.stored += up.chunk().data();
      }
      if (up.has_final()) {
        ++target.ends;
        target.result = rig_.FinalOf(up);
      }
    }
    target.receiver.OnDurable();
    OweAck(target);
  }

  void OweAck(Target& target) {
    const auto ack = target.receiver.TakeAck();
    if (!ack) return;
    acks_.push_back({target.digest, *ack, target.ends > 0});
  }

  void SendAck(bool faulty) {
    if (acks_.empty() || !is_open_) return;
    const auto owed = acks_.front();
    acks_.pop_front();
    if (faulty && Chance(10)) return;
    Guarded([&] {
      const auto& [digest, ack, is_complete] = owed;
      rig_.Ack(digest, ack.attempt, ack.next_seq, is_complete, ack.rewind);
    });
  }

  void WorkerStep() {
    if (live_.empty()) return;
    const std::size_t index = random_() % live_.size();
    const LiveWorker worker = live_[index];
    if (!rig_.warden->WantsOutput(worker.id)) {
      ++totals_.paused;
      return;
    }
    Target& target = targets_[worker.target];
    if (Chance(60)) {
      const std::string data(1 + random_() % 30'000, static_cast<char>('A' + random_() % 26));
      target.written[worker.attempt] += data;
      return Guarded([&] { rig_.Output(worker.id, data); });
    }
    live_.erase(live_.begin() + static_cast<std::ptrdiff_t>(index));
    Guarded([&] {
      if (Chance(80)) {
        rig_.Exit(worker.id);
      } else {
        rig_.Gone(worker.id, {0, 9, false});
      }
    });
  }

  void Heal() {
    rig_.disk.crash_at.reset();
    rig_.disk.fail_next = 0;
    rig_.spool_disk.is_full = rig_.disk.is_full = false;
    rig_.spool_disk.fail_syncs = 0;
    for (int round = 0; round < 300 && !AllEnded(); ++round) {
      Reopen();
      for (Target& target : targets_) {
        if (target.ends > 0) continue;
        target.was_sent = true;
        rig_.Deliver(target.envelope);
      }
      for (std::size_t left = live_.size(); left > 0; --left) {
        const LiveWorker worker = live_.back();
        live_.pop_back();
        if (rig_.warden->WantsOutput(worker.id)) {
          rig_.Exit(worker.id);
        } else {
          live_.insert(live_.begin(), worker);  // next round there is room
        }
      }
      TakeUps(false);
      while (!acks_.empty()) SendAck(false);
      rig_.Advance(std::chrono::seconds(3));
    }
  }

  bool AllEnded() const {
    for (const Target& target : targets_) {
      if (target.ends == 0) return false;
    }
    return rig_.warden->is_idle();
  }

  void Check() {
    EXPECT_TRUE(rig_.warden->is_idle());
    EXPECT_TRUE(rig_.spool_disk.streams.empty());
    for (const auto& row : rig_.disk.rows) EXPECT_EQ(row.state, CommandState::kForgotten);
    for (const Target& target : targets_) {
      const pb::Result& result = target.result;
      EXPECT_EQ(target.ends, 1);
      if (!target.is_idempotent) {
        EXPECT_LE(target.runs, 1);
      }
      if (target.is_lost) continue;
      if (result.outcome() == pb::OUTCOME_REFUSED) {
        EXPECT_EQ(target.runs, 0);
      }
      if (result.outcome() == pb::OUTCOME_INTERRUPTED) ++totals_.interrupted;
      if (result.failure() == pb::COMMAND_FAILURE_POISON) ++totals_.poisoned;
      EXPECT_EQ(result.attempt(), target.attempt);
      EXPECT_EQ(result.output_bytes(), target.stored.size());
      EXPECT_EQ(result.output_sha256(), rig_.crypto.Sha256(target.stored).str());
      if (result.outcome() != pb::OUTCOME_DONE) continue;
      ++totals_.done;
      EXPECT_EQ(target.stored, target.written.at(target.attempt));
    }
  }

  Target& Find(const std::string& digest) {
    for (Target& target : targets_) {
      if (target.digest.view() == digest) return target;
    }
    HF_UNREACHABLE("an answer to a command that nobody gave");
  }

  struct OwedAck {
    Digest digest;
    StreamReceiver::Ack ack;
    bool is_complete;
  };

  WardenRig rig_;
  std::minstd_rand random_;
  Totals& totals_;
  std::vector<Target> targets_;
  std::vector<LiveWorker> live_;
  std::deque<OwedAck> acks_;
  std::optional<std::pair<testing::FakeDisk, testing::FakeSpoolDisk>> snapshot_;
  const int reverts_before_ = totals_.reverted;
  bool is_reverted_ = false;  // and control has not said so yet
  bool is_open_ = false;
};

TEST(WardenSimTest, KeepsEveryPromiseOverManySeeds) {
  constexpr std::uint32_t kSeeds = 150;
  Totals totals;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World(seed, totals).Run();
    if (HasFatalFailure() || HasNonfatalFailure()) break;
  }
  // The run was not vacuous.
  EXPECT_GT(totals.crashes, 100);
  EXPECT_GT(totals.power_cuts, 20);
  EXPECT_GT(totals.cuts, 100);
  EXPECT_GT(totals.refusing_disks, 50);
  EXPECT_GT(totals.interrupted, 20);
  EXPECT_GT(totals.reruns, 20);
  EXPECT_GT(totals.duplicates, 100);
  EXPECT_GT(totals.lost, 100);
  EXPECT_GT(totals.done, 100);
  EXPECT_GT(totals.paused, 100);
  EXPECT_GT(totals.failed_syncs, 20);
  EXPECT_GT(totals.full_disks, 50);
  EXPECT_GT(totals.poisoned, 2);
  EXPECT_GT(totals.reverted, 20);
  EXPECT_GT(totals.journals_lost, 20);
  std::printf(
      "crashes %d, power cuts %d, cuts %d, refusing disks %d, interrupted %d, reruns %d, "
      "duplicates %d, lost %d, done %d, paused %d, failed syncs %d, full disks %d, poisoned %d, "
      "reverted %d, journals lost %d\n",
      totals.crashes, totals.power_cuts, totals.cuts, totals.refusing_disks, totals.interrupted,
      totals.reruns, totals.duplicates, totals.lost, totals.done, totals.paused,
      totals.failed_syncs, totals.full_disks, totals.poisoned, totals.reverted,
      totals.journals_lost);
}

}  // namespace
}  // namespace holdfast::agent
