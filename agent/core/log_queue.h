// LogQueue: lines that the cores want written; the program takes and writes them.
//
// Limits:    kMaxLogLines; above it a line is dropped, and the drop is the next line that gets
// through. Threading: thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "agent/core/limits.h"
#include "common/base/log_line.h"

namespace holdfast::agent {

class LogQueue {
 public:
  void Add(LogLine line) {
    if (lines_.size() >= kMaxLogLines) {
      ++dropped_;
      return;
    }
    lines_.push_back(std::move(line));
  }
  std::optional<LogLine> Next() {
    if (!lines_.empty()) {
      std::optional<LogLine> line(std::move(lines_.front()));
      lines_.pop_front();
      return line;
    }
    if (dropped_ == 0) return std::nullopt;
    const auto count = static_cast<std::int64_t>(std::exchange(dropped_, 0U));
    return std::optional<LogLine>(
        LogLine(LogLevel::kWarn, "log_lines_dropped").Num("count", count));
  }

 private:
  std::deque<LogLine> lines_;
  std::uint32_t dropped_ = 0;
};

}  // namespace holdfast::agent
