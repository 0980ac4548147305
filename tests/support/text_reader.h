// TextReader: a text as the open file that a table reads.
//
// Ownership: borrows the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "agent/tables/machine.h"

namespace holdfast::testing {

class TextReader : public agent::PieceReader {
 public:
  explicit TextReader(std::string_view text) : text_(text) {}
  std::size_t ReadAt(std::uint64_t offset, std::span<char> out) override {
    if (offset >= text_.size()) return 0;
    return text_.copy(out.data(), out.size(), static_cast<std::size_t>(offset));
  }

 private:
  std::string_view text_;
};

}  // namespace holdfast::testing
