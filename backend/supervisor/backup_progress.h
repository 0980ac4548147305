// BackupProgress: how far a backup or a restore is, on a terminal's one line; on nothing else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace holdfast::backend {

class BackupProgress {
 public:
  // `doing`: "backing up"; `total` bytes, 0: not known.
  BackupProgress(std::string doing, std::uint64_t total);
  ~BackupProgress();  // takes its line away
  BackupProgress(const BackupProgress&) = delete;
  BackupProgress& operator=(const BackupProgress&) = delete;
  void Show(std::uint64_t bytes);

 private:
  const std::string doing_;
  const std::uint64_t total_;
  const bool is_terminal_;
  TimePoint shown_{};
};

std::string Megabytes(std::uint64_t bytes);  // "12.3 MB"

}  // namespace holdfast::backend
