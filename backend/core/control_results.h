// Results: control's end of the agents' numbered streams; brings output to disk and then says so.
//
// Records wait until the end of the turn, so that one commit or one file job takes all that came.
// Small outputs go into the store, larger ones into a file beside the loop; a Final is checked
// against what was stored before the delivery ends.
//
//   OnUp OnSync OnFileDone --> [Results] --> Advance, commit, Keep | Undo --> TakeAcks
//
// Ordering:  an Ack follows the fsync of the bytes and the commit of the row that it covers. One file
//            job per stream at a time; records that come meanwhile wait.
// Limits:    Options; a record beyond max_waiting_bytes of its stream is dropped (its agent ignores
//            its credit) and comes again after a rewind.
// Ownership: borrows its ports for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    none reach the caller: a failed write loses the records of this turn, the agent is asked
//            for them again after Options::retry.
// Design:    docs/decisions/0022-group-commit.md, 0023-credit.md
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/core/control_agents.h"
#include "backend/core/control_audit.h"
#include "backend/core/control_dispatcher.h"
#include "backend/core/control_ledger.h"
#include "backend/core/counters.h"
#include "backend/core/output_files.h"
#include "backend/core/store.h"
#include "common/link/limits.h"
#include "common/link/stream_receiver.h"
#include "common/sign/crypto.h"
#include "holdfast/link/v1/link.pb.h"

namespace holdfast::backend {

class Results {
 public:
  struct Options {
    // Outputs up to here live in the store: a file costs three fsyncs, this none.
    std::size_t inline_bytes = std::size_t{64} * 1024;
    std::size_t inline_chunks = 64;
    // Shared by all streams with output: what may be on its way to our disk.
    std::size_t credit_bytes = std::size_t{48} * 1024 * 1024;
    std::size_t min_window_bytes = std::size_t{64} * 1024;
    std::size_t max_window_bytes = link::kMaxWindowBytes;
    std::size_t max_waiting_bytes = std::size_t{2} * link::kMaxWindowBytes;
    std::size_t max_waiting_records = 8192;
    std::size_t job_bytes = std::size_t{4} * 1024 * 1024;  // one write and fsync
    // Runs of one command at one agent that may begin: one for each time that the endpoint died over it.
    std::uint32_t max_attempts = 1000;
    Duration retry = std::chrono::seconds(1);  // after a failed write
    // Receipts may wait this long for what follows them: nobody waits for their commit, and most
    // queries are answered by then. Less than a person or a timeout of the protocol can notice.
    Duration receipt_delay = std::chrono::milliseconds(4);
    // Stored of one output when the command's limits say 0: as the agent has it for what makes rows
    // and for exec; for get, cat and archive, which files bound there, what no file of ours may pass.
    std::uint64_t default_output_bytes = std::uint64_t{1} << 30;
    std::uint64_t default_file_bytes = std::uint64_t{64} << 30;
  };
  struct Ports {
    Store& store;
    OutputFiles& files;
    const sign::Crypto& crypto;
    AgentTable& agents;
    Ledger& ledger;
    Dispatcher& dispatcher;
    AuditLog& audit;
    CounterBlock* counters = nullptr;  // what is at hand is noted there
  };
  Results(Options options, Ports ports) : options_(options), ports_(ports) {}

  // From the session of this very agent; the frame's own ids name only the command.
  void OnUp(const AgentId& agent, link::v1::Up up, Moment now);
  void OnSync(const AgentId& agent, const link::v1::Sync& sync, Moment now);
  void OnFileDone(FileDone done, Moment now);
  // Records on their way to the control before us are lost: says at once where each stream stands,
  // which the agent would else find out by its own timeout.
  void OnResumed(const AgentId& agent);
  // Says where one stream stands: an agent that has it goes on from there, one that does not says so.
  void Ask(const DeliveryKey& key);
  // Its streams begin anew, from whatever it still says: the positions we know mean nothing to it.
  void OnJournalLost(const AgentId& agent);
  void OnOffline(const AgentId& agent);
  void OnEnded(const DeliveryKey& key);  // by somebody else
  // Ends it and takes its answer for complete, unread: the agent forgets it.
  void SetAside(const DeliveryKey& key, Ending ending, Moment now);

  // Only receipts wait, and not yet for long: a commit for them alone can be spared.
  bool MayWait(Moment now) const;
  // Takes what waits into rows and jobs, before the commit.
  void Advance(Moment now);
  void Keep();
  void Undo(Moment now);
  struct AckOut {
    AgentId agent;
    link::v1::Ack ack;
  };
  std::vector<AckOut> TakeAcks(Moment now);
  bool has_work() const { return !ready_.empty(); }  // Advance() has something to do
  // Bytes between the transport and the disk: above some bound the driver stops reading.
  std::size_t pending_bytes() const { return pending_bytes_; }
  std::uint64_t stored_bytes() const { return stored_bytes_; }  // since the start
  // Signed refusals of commands that control never accepted: an alarm. Since the start.
  std::uint64_t strange_refusals() const { return strange_refusals_; }

 private:
  // What the ledger will say when the running job is done.
  struct Job {
    FileName file;
    FileJob work;
    std::size_t bytes = 0;
    std::uint32_t attempt = 0;
    std::uint64_t next_seq = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t chunk_count = 0;
    bool spills = false;           // takes over what was inline
    std::optional<Ending> ending;  // the Final is in it
    Digest sha256;                 // that the Final names
    bool doomed = false;           // the turn it builds upon was undone
  };
  struct Stream {
    explicit Stream(link::StreamReceiver::Position at) : receiver(at) {}
    link::StreamReceiver receiver;
    std::deque<link::v1::Up> waiting;
    std::size_t waiting_bytes = 0;
    bool touched = false;   // its row changed in this turn
    bool complete = false;  // the Final is stored
    std::optional<Job> job;
    TimePoint held_until{};  // after a failed write
  };

  Stream* Open(const DeliveryKey& key, std::uint32_t attempt, std::uint64_t agent_has);
  bool IsStrange(const DeliveryKey& key) const;
  void AckStrange(const DeliveryKey& key, std::uint32_t attempt, std::uint64_t next_seq,
                  bool complete);
  void ForgetStrangeRefusal(const DeliveryKey& key, const link::v1::Up& up);
  bool Ensure(const DeliveryKey& key);
  bool IsCertain();
  void Process(const DeliveryKey& key, Stream& stream, Moment now);
  bool IsInPlace(const link::v1::Up& up, const DeliveryRow& before) const;
  void Take(const DeliveryKey& key, Stream& stream, link::v1::Up up, Moment now);
  void TakeChunk(const DeliveryKey& key, Stream& stream, link::v1::Up up, Moment now);
  void TakeFinal(const DeliveryKey& key, Stream& stream, const link::v1::Up& up, Moment now);
  void Finish(const DeliveryKey& key, Stream& stream, Ending ending, Moment now);
  void DropOlderOutput(const DeliveryKey& key, std::uint32_t attempt);
  Job& BuildJob(const DeliveryKey& key, Stream& stream);
  void StartJob(Stream& stream);
  void ApplyJob(const DeliveryKey& key, Stream& stream, const Job& job, const FileDone& done,
                Moment now);
  void Rewind(const DeliveryKey& key, Stream& stream, Moment now);
  void DropWaiting(Stream& stream);
  std::size_t window_bytes() const;
  std::uint64_t MaxOutput(const Digest& digest);
  std::uint64_t SignedMaxOutput(const Digest& digest) const;

  // Commands whose bound is kept: the thousand envelopes of a hunt through a million agents.
  static constexpr std::size_t kMaxKnownOutputs = 1024;

  const Options options_;
  const Ports ports_;
  std::map<Digest, std::uint64_t> max_outputs_;
  std::map<DeliveryKey, Stream> streams_;
  std::map<FileName, DeliveryKey> jobs_;
  std::set<DeliveryKey> ready_;    // records wait and no job runs
  TimePoint ready_since_{};        // when the first of them came
  bool only_receipts_ = true;      // of what came since then
  bool in_doubt_ = false;          // the last commit failed, and the store was not reached since
  std::set<DeliveryKey> ackable_;  // may owe an Ack
  std::set<DeliveryKey> held_;
  std::set<DeliveryKey> flowing_;  // sent output and not their Final: these share the credit
  std::vector<AckOut> direct_;     // for streams that are over
  std::vector<FileName> forget_;   // after the commit
  std::size_t pending_bytes_ = 0;
  std::uint64_t strange_refusals_ = 0;
  std::uint64_t stored_bytes_ = 0;
};

}  // namespace holdfast::backend
