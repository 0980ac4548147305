#include "backend/supervisor/backup_progress.h"

#include <array>
#include <cstdio>
#include <utility>

#include <unistd.h>

#include "backend/adapters/linux/clocks.h"

namespace holdfast::backend {

std::string Megabytes(std::uint64_t bytes) {
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text.data();
}

BackupProgress::BackupProgress(std::string doing, std::uint64_t total)
    : doing_(std::move(doing)), total_(total), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

BackupProgress::~BackupProgress() {
  if (is_terminal_) std::fputs("\r\033[K", stderr);
}

void BackupProgress::Show(std::uint64_t bytes) {
  constexpr Duration kPause = std::chrono::milliseconds(500);
  const TimePoint now = MonotonicNow();
  if (!is_terminal_ || (shown_ != TimePoint{} && now - shown_ < kPause)) return;
  shown_ = now;
  const std::string of = total_ == 0 ? "" : " of " + Megabytes(total_);
  std::fprintf(stderr, "\r\033[K%s: %s%s", doing_.c_str(), Megabytes(bytes).c_str(), of.c_str());
  std::fflush(stderr);
}

}  // namespace holdfast::backend
