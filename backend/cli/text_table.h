// TextTable: rows in columns that fit a terminal.
//
// Cells come in already safe for a terminal (ForTerminal). Widths are those of the characters on
// the screen, not of bytes. Nothing is cut: when the whole is wider than the terminal, free text goes on
// in further lines of its column; when that does not do, the columns of the highest rank are left out,
// and Dropped() names them. What is left may still be wider; then the terminal wraps its lines.
//
// Limits:    a column of free text is at least kMinWrapped wide while others can be left out for it, and
//            never below kMinSqueezed.
// Threading: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

// Columns on the screen of UTF-8 text without control characters.
std::size_t DisplayWidth(std::string_view text);
// The text in pieces of at most `width` columns, broken at spaces where there are some.
std::vector<std::string> WrapToWidth(const std::string& text, std::size_t width);

class TextTable {
 public:
  static constexpr std::size_t kMinWrapped = 16;  // below, a column is hard to read
  static constexpr std::size_t kMinSqueezed = 8;  // below, it is not worth the lines

  enum class Fit : std::uint8_t {
    kWhole,      // one piece: an id, a hash, a time
    kWraps,      // free text
    kFlows,      // one piece in the last column: the terminal wraps those that are too long
    kByContent,  // kWraps if a cell is long and has spaces, else one of the others
  };
  struct Column {
    std::string title;
    bool right = false;  // numbers
    Fit fit = Fit::kWhole;
    unsigned rank = 0;  // the highest is left out first; 0 never is
  };
  // `width` 0: as wide as it takes.
  TextTable(std::vector<Column> columns, std::size_t width);

  // Takes rows into account for the widths, up to Freeze().
  void Measure(const std::vector<std::string>& row);
  void Freeze();
  std::string Header() const;
  std::string Line(const std::vector<std::string>& row) const;
  void AlignRight(std::size_t column) { columns_[column].right = true; }

  // The titles of columns that were left out.
  const std::vector<std::string>& Dropped() const { return dropped_; }

 private:
  void Decide();
  std::size_t LeastWidth(std::size_t column) const;
  std::size_t Total(bool at_least) const;
  bool DropOne();

  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<bool> has_space_;
  std::vector<bool> shown_;
  std::vector<std::string> dropped_;
  std::size_t width_;
};

}  // namespace holdfast::cli
