// ContentSearch: the first place in a file that holds a string, or where a pattern matches.
//
// A pattern is matched line by line, "^" and "$" are a line's ends; a line longer than
// Regex::kMaxTextBytes is cut there, and a match across the cut is not seen.
//
// Limits:    a file is read up to the size it had, one that claims to be empty up to kMaxMadeBytes;
//            one buffer of kBufferBytes.
// Ownership: borrows the wanted string.
// Threading: one thread; each Find() starts anew.
// Errors:    of Find(): an errno of read().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "agent/tables/machine.h"
#include "agent/tables/regex.h"

namespace holdfast::agent {

class ContentSearch {
 public:
  static constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;
  // Of a file of /proc, which is made as it is read.
  static constexpr std::uint64_t kMaxMadeBytes = std::uint64_t{16} << 20;

  explicit ContentSearch(std::string_view text);  // not empty, shorter than the buffer
  explicit ContentSearch(Regex pattern);

  struct Found {
    std::optional<std::uint64_t> offset;  // bytes from the beginning
    int error = 0;
  };
  Found Find(int fd, const FileStat& stat);

 private:
  // In what was read; `consumed` of it need not be looked at again.
  std::optional<std::size_t> In(std::string_view bytes, bool last, std::size_t& consumed) const;
  std::optional<std::size_t> InLines(std::string_view bytes, bool last,
                                     std::size_t& consumed) const;

  std::string_view text_;
  std::optional<Regex> pattern_;
  std::unique_ptr<char[]> buffer_;
};

}  // namespace holdfast::agent
