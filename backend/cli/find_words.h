// FindArgsOf: what `find`, and what looks through files as it does, was asked for in words, as it is signed.
//
// Times that were typed as an age are counted back from this machine's clock: what is signed is absolute.
//
// Threading: pure functions.
// Errors:    kInvalid: a word that means nothing; it is quoted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/cli/options.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::cli {

Result<::holdfast::command::v1::FindArgs> FindArgsOf(const std::string& path,
                                                     const FindOptions& words, WallTime now);

// How much there is to look through below `path`.
::holdfast::command::v1::FindArgs EstimateOf(const std::string& path);
// How many processes there are, and how much memory they have; empty: all.
std::string ProcessesEstimate(const std::vector<std::int32_t>& pids);

// What lies below `path`, in the order of its last change: the query that `timeline` stands for. Of the words only the times count.
Result<std::string> TimelineQuery(const std::string& path, const FindOptions& words, WallTime now);

// "2h" before `now`, "2026-11-30", "2026-11-30T12:00:00" or "2026-11-30 12:00" (UTC), as Unix seconds.
std::optional<std::int64_t> ParseMoment(const std::string& text, WallTime now);

// "0644"
Result<std::uint32_t> OctalMode(const std::string& text);

}  // namespace holdfast::cli
