// LogWriter: puts log lines on stderr, each with its time and process.
//
//   ts=2026-01-31T23:59:59.123Z proc=g0 level=info event=link_opened ...
//
// One line is one write(2), so lines of several processes on one pipe or terminal do not mix.
//
// Limits:    lines below the level are dropped. A stderr that does not take the line loses it.
// Threading: thread-safe, but for SetLevel().
#pragma once

#include <string>

#include "common/base/log_line.h"

namespace holdfast::backend {

class LogWriter {
 public:
  LogWriter(std::string proc, LogLevel least) : proc_(std::move(proc)), least_(least) {}
  void SetLevel(LogLevel least) { least_ = least; }
  void Write(const LogLine& line) const;
  bool wants(LogLevel level) const { return level >= least_; }

 private:
  std::string proc_;
  LogLevel least_;
};

}  // namespace holdfast::backend
