// IsolationRecord: what an isolation is, and how it is written down so that a reboot does not end it.
//
//   HOLDFAST-ISOLATION-v1
//   boot 5f8c...            which start of the kernel `now` counts from
//   now 812345              ms of CLOCK_BOOTTIME when this was written
//   wall 1796052000000      Unix ms at the same moment
//   held <digest>           or: trial <digest>; of the command
//   since 1796051000000     Unix ms
//   left 13400000           ms from `now` on
//   allow 10.0.0.0/8        as signed; any number
//   crc 1a2b3c4d            CRC-32C of the lines above
//
// Limits:    kMaxIsolationBytes.
// Threading: values and pure functions.
// Errors:    ParseIsolation(): kCorrupt.
// Design:    docs/decisions/0095-isolation.md
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/moment.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxIsolationBytes = std::size_t{8} * 1024;

struct IsolationTerms {
  Digest digest;      // of the command
  WallTime since{0};  // when it began, by the clock then
  TimePoint until{};  // decides
  std::vector<std::string> allow;
};

struct IsolationRecord {
  std::optional<IsolationTerms> held;   // proven
  std::optional<IsolationTerms> trial;  // its rules stand, and the link has yet to prove itself
};

std::string FormatIsolation(const IsolationRecord& record, const std::string& boot, Moment at);
// `until` is made one of this boot's. Of the same boot by CLOCK_BOOTTIME, whatever became of the clock on the wall;
// of an earlier one what was left, less the time that the wall clock says has passed since: a clock that was set
// back makes it last no longer than was left.
Result<IsolationRecord> ParseIsolation(std::string_view text, const std::string& boot, Moment at);

// When it ends, by this moment's clock.
WallTime WallEnd(const IsolationTerms& terms, Moment at);
// "2026-11-30 18:42:10 UTC"
std::string UtcText(WallTime at);

}  // namespace holdfast::agent
