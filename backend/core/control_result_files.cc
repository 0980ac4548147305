// Results, second part: outputs too large for the store, in files beside the loop.
#include <utility>

#include "backend/core/control_result_check.h"
#include "backend/core/control_results.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::backend {

// The job that the records of this turn go into; the first one opens it.
Results::Job& Results::BuildJob(const DeliveryKey& key, Stream& stream) {
  if (stream.job) return *stream.job;
  const DeliveryRow& row = *ports_.ledger.Find(key);
  Job job;
  job.attempt = row.attempt;
  job.next_seq = row.next_seq;
  job.stored_bytes = row.stored_bytes;
  job.chunk_count = row.chunk_count;
  if (row.place == OutputPlace::kIncoming) {
    job.file = {FileArea::kResults, row.output_name};
    job.work.offset = row.stored_bytes;
  } else {
    job.file = {FileArea::kResults, ports_.crypto.RandomBytes<Nonce16>()};
    job.spills = row.place == OutputPlace::kInline;
    if (job.spills) {
      auto read = ports_.store.ReadInline(key.digest, key.agent, 0, options_.inline_bytes);
      // A failed read leaves the job short of bytes: the file's length will not come out.
      if (read.ok()) job.work.pieces.push_back(std::move(read).value());
    }
  }
  job.work.file = job.file;
  stream.job = std::move(job);
  jobs_[stream.job->file] = key;
  return *stream.job;
}

void Results::StartJob(Stream& stream) { ports_.files.Start(std::move(stream.job->work)); }

void Results::OnFileDone(FileDone done, Moment now) {
  const auto owner = jobs_.find(done.file);
  if (owner == jobs_.end()) return;
  const DeliveryKey key = owner->second;
  jobs_.erase(owner);
  const auto found = streams_.find(key);
  HF_CHECK(found != streams_.end() && found->second.job);
  Stream& stream = found->second;
  const Job job = *std::exchange(stream.job, std::nullopt);
  pending_bytes_ -= job.bytes;
  ackable_.insert(key);
  if (!stream.waiting.empty()) {
    ready_.insert(key);
    only_receipts_ = false;
  }

  const bool mismatch = !done.status.ok() && done.status.error().code == Code::kCorrupt;
  const bool short_file = done.status.ok() && done.length != job.stored_bytes;
  if (job.doomed || short_file || (!done.status.ok() && !mismatch) || !Ensure(key)) {
    if (IsCertain() && Ensure(key)) {  // a file that no row came to name
      const DeliveryRow& row = *ports_.ledger.Find(key);
      if (row.place != OutputPlace::kIncoming || row.output_name != job.file.name) {
        ports_.files.Forget(job.file);
      }
    }
    if (stream.complete) return;  // it ended as BAD_RESULT meanwhile
    return Rewind(key, stream, now);
  }
  ApplyJob(key, stream, job, done, now);
}

void Results::ApplyJob(const DeliveryKey& key, Stream& stream, const Job& job, const FileDone& done,
                       Moment now) {
  stream.touched = true;
  DeliveryRow& row = ports_.ledger.ChangeRow(key);
  row.attempt = job.attempt;
  row.next_seq = job.next_seq;
  if (!done.status.ok() && done.length == 0) {
    return Finish(key, stream, BadResult("control lost what it had stored of the output"), now);
  }
  row.output_attempt = job.attempt;
  row.stored_bytes = job.stored_bytes;
  row.chunk_count = job.chunk_count;
  row.place = OutputPlace::kIncoming;
  row.output_name = job.file.name;
  stored_bytes_ += job.bytes;
  if (job.spills) (void)ports_.store.DropInline(key.digest, key.agent);
  if (!job.ending) return;
  if (done.status.ok()) {
    row.place = OutputPlace::kSealed;
    row.output_sha256 = job.sha256;
    forget_.push_back(job.file);
    Finish(key, stream, *job.ending, now);
  } else {
    Finish(key, stream,
           BadResult("the stored output does not have the SHA-256 that the agent signed"), now);
  }
}

// Kept: a hunt's command names a thousand targets, and each of their answers would walk them all.
std::uint64_t Results::MaxOutput(const Digest& digest) {
  const auto known = max_outputs_.find(digest);
  if (known != max_outputs_.end()) return known->second;
  if (max_outputs_.size() >= kMaxKnownOutputs) max_outputs_.clear();
  return max_outputs_.emplace(digest, SignedMaxOutput(digest)).first->second;
}

// What the command's signed limits allow it to store, or the default where they say 0.
std::uint64_t Results::SignedMaxOutput(const Digest& digest) const {
  std::optional<CommandRow> command;
  if (const CommandRow* open = ports_.ledger.FindCommand(digest)) {
    command = *open;
  } else if (auto stored = ports_.store.FindCommand(digest); stored.ok()) {
    command = std::move(stored).value();
  }
  if (!command) return options_.default_output_bytes;
  auto envelope = sign::ParseEnvelope(command->envelope, sign::kCommandType);
  if (!envelope.ok()) return options_.default_output_bytes;
  auto parsed = sign::ParseCommand(envelope.value().payload());
  if (!parsed.ok()) return options_.default_output_bytes;
  if (const auto limit = parsed.value().limits().out_bytes(); limit > 0) return limit;
  const bool file = command->verb == "get" || command->verb == "cat" ||
                    command->verb == "archive" || command->verb == "memdump";
  return file ? options_.default_file_bytes : options_.default_output_bytes;
}

}  // namespace holdfast::backend
