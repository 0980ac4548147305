#include "agent/core/results.h"

#include <algorithm>
#include <utility>

#include "agent/core/limits.h"
#include "agent/core/worker_limits.h"
#include "common/base/utf8.h"
#include "common/sign/envelope.h"

namespace holdfast::agent {
namespace {

namespace v1 = ::holdfast::command::v1;

// A signed limit as a duration, capped so that no sum overflows.
Duration Millis(std::uint64_t ms) {
  constexpr std::uint64_t kMaxMs = std::uint64_t{365} * 24 * 3600 * 1000;
  return Duration(static_cast<std::int64_t>(std::min(ms, kMaxMs)));
}

}  // namespace

bool IsOwn(const v1::Command& command) { return command.has_isolate() || command.has_release(); }

RunLimits LimitsOf(const v1::Command& command) {
  const WorkerLimits limits = EffectiveLimits(command);
  return {.wall = Millis(limits.wall_ms),
          .cpu = Millis(limits.cpu_ms),
          .out_bytes = limits.out_bytes,
          .mem_bytes = limits.mem_bytes,
          .processes = limits.processes};
}

void TakeFacts(OpenCommand& command, const v1::Command& parsed, std::string payload) {
  command.is_idempotent = parsed.idempotent();
  command.is_pty = parsed.has_pty();
  command.has_children = parsed.has_exec() || parsed.has_run() || parsed.has_collect() ||
                         parsed.has_scan() || parsed.has_update() || command.is_pty;
  command.is_own = IsOwn(parsed);
  command.is_update = parsed.has_update();
  command.limits = LimitsOf(parsed);
  command.not_after = WallTime(parsed.not_after_ms());
  command.payload = std::move(payload);
}

std::optional<v1::Result> LastWordFrom(std::string_view bytes) {
  v1::Result said;
  if (bytes.size() > kMaxLastWordBytes ||
      !said.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return std::nullopt;
  }
  if (!v1::Outcome_IsValid(said.outcome()) || !v1::CommandFailure_IsValid(said.failure()) ||
      said.file().path().size() > kMaxFactsPathBytes) {
    return std::nullopt;
  }
  v1::Result known;
  known.set_outcome(said.outcome());
  known.set_failure(said.failure());
  known.set_message(Utf8Prefix(said.message(), kMaxResultMessageBytes));
  known.set_exit_code(said.exit_code());
  known.set_truncated(said.truncated());
  known.set_rows(said.rows());
  if (said.recording().sha256().size() == Digest::kSize) {
    known.mutable_recording()->set_sha256(said.recording().sha256());
    known.mutable_recording()->set_size(said.recording().size());
  }
  if (said.has_file()) {
    const v1::FileFacts& facts = said.file();
    v1::FileFacts& out = *known.mutable_file();
    out.set_path(facts.path());
    out.set_size(facts.size());
    out.set_mode(facts.mode());
    out.set_uid(facts.uid());
    out.set_gid(facts.gid());
    out.set_mtime_ns(facts.mtime_ns());
    out.set_ctime_ns(facts.ctime_ns());
    out.set_atime_ns(facts.atime_ns());
    out.set_btime_ns(facts.btime_ns());
    out.set_unstable(facts.unstable());
  }
  if (said.has_footprint()) {
    const v1::Footprint& told = said.footprint();
    v1::Footprint& out = *known.mutable_footprint();
    out.set_cpu_ms(told.cpu_ms());
    out.set_peak_memory_bytes(told.peak_memory_bytes());
    out.set_disk_read_bytes(told.disk_read_bytes());
    out.set_disk_written_bytes(told.disk_written_bytes());
    out.set_files_changed(told.files_changed());
    out.set_processes_started(told.processes_started());
  }
  return known;
}

Result<std::string> SignResult(const Parts& parts, const OpenCommand& command,
                               const EndOfCommand& ended) {
  v1::Result result;
  if (command.last_word) result = *command.last_word;  // exit_code, file, rows
  result.set_command_digest(command.digest.str());
  result.set_agent_id(ended.agent.str());
  result.set_incarnation(parts.journal.meta().incarnation.str());
  result.set_attempt(command.stream->key().attempt);
  result.set_outcome(ended.ending.outcome);
  result.set_failure(ended.ending.failure);
  result.set_message(Utf8Prefix(ended.ending.message, kMaxResultMessageBytes));
  result.set_started_at_ms(command.started_at.get());
  result.set_ended_at_ms(ended.at.get());
  result.set_output_bytes(command.stream->output_bytes());
  result.set_chunk_count(command.stream->chunks());
  result.set_output_sha256(ended.output_sha256.str());
  result.set_truncated(command.is_truncated || result.truncated());
  result.set_policy_version(parts.trust.policy.version());
  return sign::SignEnvelope(parts.crypto, parts.key, sign::kResultType, result.SerializeAsString());
}

}  // namespace holdfast::agent
