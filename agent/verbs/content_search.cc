#include "agent/verbs/content_search.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <unistd.h>

namespace holdfast::agent {

ContentSearch::ContentSearch(std::string_view text)
    : text_(text), buffer_(std::make_unique<char[]>(kBufferBytes)) {}
ContentSearch::ContentSearch(Regex pattern)
    : pattern_(std::move(pattern)), buffer_(std::make_unique<char[]>(kBufferBytes)) {}

std::optional<std::size_t> ContentSearch::InLines(std::string_view bytes, bool last,
                                                  std::size_t& consumed) const {
  Regex::Match match;
  for (consumed = 0; consumed < bytes.size();) {
    const std::string_view rest = bytes.substr(consumed, Regex::kMaxTextBytes);
    const std::size_t end = rest.find('\n');
    const bool is_whole = end != std::string_view::npos || rest.size() == Regex::kMaxTextBytes;
    if (!is_whole && !last) break;  // the rest of the line is still to be read
    const std::string_view line = rest.substr(0, end);
    if (pattern_->Search(line, 0, match)) return consumed + match[0];
    consumed += line.size() + (end == std::string_view::npos ? 0 : 1);
  }
  return std::nullopt;
}

std::optional<std::size_t> ContentSearch::In(std::string_view bytes, bool last,
                                             std::size_t& consumed) const {
  if (pattern_) return InLines(bytes, last, consumed);
  const void* at = memmem(bytes.data(), bytes.size(), text_.data(), text_.size());
  if (at != nullptr) return static_cast<std::size_t>(static_cast<const char*>(at) - bytes.data());
  consumed = bytes.size() - std::min(bytes.size(), text_.size() - 1);
  return std::nullopt;
}

ContentSearch::Found ContentSearch::Find(int fd, const FileStat& stat) {
  std::uint64_t left = stat.size > 0 ? stat.size : kMaxMadeBytes;
  std::uint64_t before = 0;  // bytes of the file that lie before the buffer
  std::size_t held = 0;
  for (bool last = false; !last;) {
    const ssize_t got =
        read(fd, buffer_.get() + held,
             static_cast<std::size_t>(std::min<std::uint64_t>(kBufferBytes - held, left)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {.offset = std::nullopt, .error = errno};
    held += static_cast<std::size_t>(got);
    left -= static_cast<std::uint64_t>(got);
    last = got == 0 || left == 0;
    std::size_t consumed = 0;
    if (const auto at = In({buffer_.get(), held}, last, consumed)) {
      return {.offset = before + *at, .error = 0};
    }
    std::memmove(buffer_.get(), buffer_.get() + consumed, held - consumed);
    held -= consumed;
    before += consumed;
  }
  return {};
}

}  // namespace holdfast::agent
