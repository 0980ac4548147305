#include "agent/verbs/memory_copy.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <unistd.h>

#include "agent/core/worker_messages.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kCopyBytes = kMaxWorkerMessageBytes;

}  // namespace

std::string HexAddress(std::uint64_t address) {
  std::array<char, 16> digits = {};
  char* const first = digits.data();
  char* const end = std::to_chars(first, first + digits.size(), address, 16).ptr;
  return "0x" + std::string(first, end);
}

MemoryCopy::MemoryCopy(int fd, OutputPort& out, std::uint64_t page_bytes)
    : fd_(fd),
      out_(out),
      page_bytes_(page_bytes),
      buffer_(std::make_unique_for_overwrite<char[]>(kCopyBytes)) {}

MemoryCopy::End MemoryCopy::Copy(std::uint64_t offset, std::uint64_t bytes, std::uint64_t address) {
  for (std::uint64_t at = 0; at < bytes;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - at, kCopyBytes));
    std::size_t have = 0;
    while (have < want) {
      const ssize_t got =
          pread(fd_, buffer_.get() + have, want - have, static_cast<off_t>(offset + at + have));
      if (got < 0 && errno == EINTR) continue;
      if (got == 0 || (got < 0 && errno == ESRCH)) return End::kGone;
      if (got > 0) {
        have += static_cast<std::size_t>(got);
        continue;
      }
      const std::uint64_t here = address + at + have;
      const std::uint64_t rest_of_page = page_bytes_ - here % page_bytes_;
      const auto zeros =
          static_cast<std::size_t>(std::min<std::uint64_t>(want - have, rest_of_page));
      std::memset(buffer_.get() + have, 0, zeros);
      if (unreadable_++ == 0) first_unreadable_ = here;
      have += zeros;
    }
    if (!out_.Output({buffer_.get(), want})) return End::kFull;
    at += want;
    copied_ += want;
  }
  return End::kWhole;
}

std::string MemoryCopy::Unreadable() const {
  if (unreadable_ == 0) return "";
  return "; " + std::to_string(unreadable_) + (unreadable_ == 1 ? " page" : " pages") +
         " could not be read and " + (unreadable_ == 1 ? "is" : "are") + " zeros, the first at " +
         HexAddress(first_unreadable_);
}

}  // namespace holdfast::agent
