#include "agent/core/update_record.h"

#include <utility>

#include "agent/core/isolation_record.h"
#include "agent/core/sealed_lines.h"
#include "common/sign/version.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kHeadOfUpdate = "HOLDFAST-UPDATE-v1\n";
constexpr std::size_t kMaxWhyBytes = 512;

void AddProgram(std::string_view key, const Program& program, std::string& out) {
  out += RecordLine(key, program.version + " " + program.sha256.hex());
}

std::optional<Program> ProgramIn(std::string_view value) {
  const std::size_t space = value.find(' ');
  if (space == std::string_view::npos || !sign::IsVersion(value.substr(0, space))) {
    return std::nullopt;
  }
  const auto sha256 = RecordDigest(value.substr(space + 1));
  if (!sha256) return std::nullopt;
  return Program{std::string(value.substr(0, space)), *sha256};
}

bool SetProgram(std::optional<Program>& out, std::string_view value) {
  out = ProgramIn(value);
  return out.has_value();
}

bool SetDigest(Digest& out, std::string_view value) {
  const auto digest = RecordDigest(value);
  if (digest) out = *digest;
  return digest.has_value();
}

bool SetMs(Duration& out, std::string_view value) {
  constexpr std::int64_t kMaxMs = std::int64_t{24} * 3600 * 1000;
  const auto number = RecordNumber(value);
  if (!number || *number < 0 || *number > kMaxMs) return false;
  out = Duration(*number);
  return true;
}

bool SetTime(WallTime& out, std::string_view value) {
  const auto number = RecordNumber(value);
  if (!number || *number < 0) return false;
  out = WallTime(static_cast<std::uint64_t>(*number));
  return true;
}

bool SetVersion(std::string& out, std::string_view value) {
  if (!sign::IsVersion(value)) return false;
  out = value;
  return true;
}

bool TakeTrial(UpdateTrial& trial, std::string_view key, std::string_view value) {
  if (key == "command") return SetDigest(trial.command, value);
  if (key == "hold") return SetMs(trial.hold, value);
  if (key == "link") return SetMs(trial.link, value);
  if (key == "then_floor") return SetVersion(trial.floor, value);
  if (key != "starts") return true;
  const auto number = RecordNumber(value);
  if (!number || *number < 0 || *number > kMaxTrialStarts) return false;
  trial.starts = static_cast<std::uint32_t>(*number);
  return true;
}

// False: no line of ours.
bool TakeLine(UpdateRecord& record, std::string_view key, std::string_view value) {
  if (key == "floor") return SetVersion(record.floor, value);
  if (key == "current") return SetProgram(record.current, value);
  if (key == "since") return SetTime(record.current_since, value);
  if (key == "previous") return SetProgram(record.previous, value);
  if (key == "root") {
    const auto number = RecordNumber(value);
    if (!number || *number < 0) return false;
    record.root_version = static_cast<std::uint64_t>(*number);
    return true;
  }
  if (key == "trial" || key == "failed") {
    auto program = ProgramIn(value);
    if (!program) return false;
    if (key == "trial") record.trial.emplace().program = *std::move(program);
    if (key == "failed") record.failed.emplace().program = *std::move(program);
    return true;
  }
  if (record.failed && key == "failed_command") return SetDigest(record.failed->command, value);
  if (record.failed && key == "failed_at") return SetTime(record.failed->at, value);
  if (record.failed && key == "why") {
    record.failed->why = value;
    return true;
  }
  return !record.trial || TakeTrial(*record.trial, key, value);
}

}  // namespace

std::string FormatUpdate(const UpdateRecord& record) {
  std::string out(kHeadOfUpdate);
  out += RecordLine("root", std::to_string(record.root_version));
  if (!record.floor.empty()) out += RecordLine("floor", record.floor);
  if (record.current) {
    AddProgram("current", *record.current, out);
    out += RecordLine("since", std::to_string(record.current_since.get()));
  }
  if (record.previous) AddProgram("previous", *record.previous, out);
  if (const auto& trial = record.trial) {
    AddProgram("trial", trial->program, out);
    out += RecordLine("command", trial->command.hex());
    out += RecordLine("starts", std::to_string(trial->starts));
    out += RecordLine("hold", std::to_string(trial->hold.count()));
    out += RecordLine("link", std::to_string(trial->link.count()));
    if (!trial->floor.empty()) out += RecordLine("then_floor", trial->floor);
  }
  if (const auto& failed = record.failed) {
    AddProgram("failed", failed->program, out);
    out += RecordLine("failed_command", failed->command.hex());
    out += RecordLine("failed_at", std::to_string(failed->at.get()));
    out += RecordLine("why", failed->why);
  }
  return Sealed(std::move(out));
}

Result<UpdateRecord> ParseUpdate(std::string_view text) {
  UpdateRecord record;
  auto read = EachLine(text, kHeadOfUpdate, [&](std::string_view key, std::string_view value) {
    return TakeLine(record, key, value);
  });
  if (!read.ok()) return std::move(read).error().In("the record of updates");
  return record;
}

void FailTrial(UpdateRecord& record, std::string_view why, WallTime at) {
  if (!record.trial) return;
  std::string line(why.substr(0, kMaxWhyBytes));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  record.failed = {std::move(record.trial->program), record.trial->command, std::move(line), at};
  record.trial.reset();
}

NextProgram ChooseProgram(UpdateRecord& record, std::string_view packaged_version, WallTime at) {
  NextProgram next;
  if (record.trial && record.trial->starts >= kMaxTrialStarts) {
    FailTrial(record,
              "it ended " + std::to_string(kMaxTrialStarts) + " times before it had proven itself",
              at);
    next.has_changed = true;
  }
  // The package has brought what was ordered, or more.
  if (record.trial && !sign::IsOlder(packaged_version, record.trial->program.version)) {
    record.trial.reset();
    next.has_changed = true;
  }
  if (record.current && !sign::IsOlder(packaged_version, record.current->version)) {
    record.current.reset();
    record.current_since = WallTime(0);
    record.previous.reset();
    next.has_changed = true;
  }
  if (record.trial) {
    ++record.trial->starts;
    next.program = record.trial->program;
    next.is_trial = next.has_changed = true;
  } else {
    next.program = record.current;
  }
  return next;
}

void StrikeOut(UpdateRecord& record, const NextProgram& tried, std::string_view why, WallTime at) {
  if (tried.is_trial) return FailTrial(record, why, at);
  record.current_since = WallTime(0);
  record.current = std::exchange(record.previous, std::nullopt);
}

std::string DescribeUpdates(const UpdateRecord& record) {
  std::string out;
  const auto add = [&](const std::string& words) {
    if (!out.empty()) out += "; ";
    out += words;
  };
  if (record.trial) {
    add(record.trial->program.version + " is on trial, started " +
        std::to_string(record.trial->starts) + " times");
  }
  if (record.current) {
    add(record.current->version + (record.trial ? " is what it falls back to" : " runs"));
    if (record.current_since.get() != 0) out += " since " + UtcText(record.current_since);
  }
  if (record.failed) {
    add(record.failed->program.version + " was taken back");
    if (record.failed->at.get() != 0) out += " " + UtcText(record.failed->at);
    out += ": " + record.failed->why;
  }
  if (!record.floor.empty()) add("none below " + record.floor + " is installed");
  return out;
}

}  // namespace holdfast::agent
