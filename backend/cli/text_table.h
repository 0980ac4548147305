// TextTable: rows in columns that fit a terminal.
//
// Cells come in already safe for a terminal (ForTerminal). Widths are those of the characters on
// the screen, not of bytes. When the whole is wider than the terminal, the widest columns are cut
// with an ellipsis; the last column is not padded.
//
// Limits:    a column is never cut below kMinColumn; a terminal too narrow for that wraps.
// Threading: a value.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

// Columns on the screen of UTF-8 text without control characters.
std::size_t DisplayWidth(std::string_view text);
// The text, or its beginning and an ellipsis, at most `width` columns wide.
std::string CutToWidth(const std::string& text, std::size_t width);

class TextTable {
 public:
  static constexpr std::size_t kMinColumn = 4;

  struct Column {
    std::string title;
    bool right = false;      // numbers
    bool gives_way = false;  // free text: is cut before any other column
  };
  // `width` 0: as wide as it takes.
  TextTable(std::vector<Column> columns, std::size_t width);

  // Takes rows into account for the widths, up to Freeze().
  void Measure(const std::vector<std::string>& row);
  void Freeze();
  std::string Header() const;
  std::string Line(const std::vector<std::string>& row) const;
  void AlignRight(std::size_t column) { columns_[column].right = true; }

 private:
  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::size_t width_;
};

}  // namespace holdfast::cli
