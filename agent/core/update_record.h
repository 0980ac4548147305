// UpdateRecord: which program of the agent's runs, which is on trial, and which the start has to fall back to.
//
//   HOLDFAST-UPDATE-v1
//   root 3                       newest update root that was seen
//   floor 0.2.0                  nothing older is installed
//   current 0.2.0 <sha256>       has proven itself; missing: the packaged program is what runs
//   since 1796088374000            when it had (ms, wall clock): to be shown, decides nothing
//   previous 0.1.9 <sha256>      what ran before it; missing: the packaged program did
//   trial 0.3.0 <sha256>         has yet to prove itself, by:
//   command <digest>               the command that ordered it
//   starts 2                       how often it was started
//   hold 60000                     ms that it must hold its link
//   link 180000                    ms within which it must have one
//   then_floor 0.2.0               the floor once it has proven itself
//   failed 0.3.0 <sha256>        the last one that was taken back
//   failed_command <digest>
//   failed_at 1796088374000
//   why it ended 3 times ...
//   crc 1a2b3c4d
//
// Readable to every later version and, what matters more, to every earlier one that is still packaged: lines with other keys
// are passed over, and so is what has no meaning with the rest.
//
// ChooseProgram() is what a start does with it; it belongs to the packaged program alone, which is the first to run.
//
// Limits:    kMaxUpdateBytes; kMaxTrialStarts.
// Threading: values and pure functions.
// Errors:    ParseUpdate(): kCorrupt.
// Design:    docs/decisions/0115-self-update.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxUpdateBytes = std::size_t{8} * 1024;
// The first may be chance (a reboot), the second a coincidence.
inline constexpr std::uint32_t kMaxTrialStarts = 3;

struct Program {  // that was fetched
  std::string version;
  Digest sha256;
};

struct UpdateTrial {
  Program program;
  Digest command;
  std::uint32_t starts = 0;
  Duration hold{0};
  Duration link{0};
  std::string floor;
};

struct UpdateFailure {
  Program program;
  Digest command;
  std::string why;
  WallTime at{0};  // 0: taken back by a version that did not write it down
};

struct UpdateRecord {
  std::uint64_t root_version = 0;
  std::string floor;
  std::optional<Program> current;
  WallTime current_since{0};  // 0: as above, or there is none
  std::optional<Program> previous;
  std::optional<UpdateTrial> trial;
  std::optional<UpdateFailure> failed;
};

std::string FormatUpdate(const UpdateRecord& record);
Result<UpdateRecord> ParseUpdate(std::string_view text);

// The trial is over, and was none.
void FailTrial(UpdateRecord& record, std::string_view why, WallTime at);

struct NextProgram {
  std::optional<Program> program;  // nullopt: the packaged one, which asks
  bool is_trial = false;
  bool has_changed = false;  // the record: on the disk before the program runs, or it must not
};
NextProgram ChooseProgram(UpdateRecord& record, std::string_view packaged_version, WallTime at);
// That one cannot be started; ask again for the next.
void StrikeOut(UpdateRecord& record, const NextProgram& tried, std::string_view why, WallTime at);

// For people, on one line; empty where no update was ever ordered. Versions are checked; `why` is hostile until escaped.
std::string DescribeUpdates(const UpdateRecord& record);

}  // namespace holdfast::agent
