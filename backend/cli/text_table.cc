#include "backend/cli/text_table.h"

#include <algorithm>
#include <cstdint>

namespace holdfast::cli {
namespace {

constexpr std::string_view kGap = "  ";

struct Range {
  std::uint32_t first, last;
};
// Unicode 15: marks that take no column (the large blocks of combining and zero-width characters).
constexpr Range kNarrow[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A},
                             {0x064B, 0x065F}, {0x06D6, 0x06DC}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
                             {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},
                             {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
// East Asian Wide and Fullwidth (UAX #11), and emoji.
constexpr Range kWide[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},
                           {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
                           {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE4F},
                           {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
                           {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};

template <std::size_t N>
bool Within(const Range (&ranges)[N], std::uint32_t code) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& r) { return code >= r.first && code <= r.last; });
}

// One character off the front: its code, taking wrong bytes one at a time.
std::uint32_t TakeCharacter(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  length = std::min(length, text.size());
  std::uint32_t code = length == 1 ? lead : lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    code = (code << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(length);
  return code;
}

std::size_t WidthOf(std::uint32_t code) {
  if (code < 0x300) return 1;
  if (Within(kNarrow, code)) return 0;
  return Within(kWide, code) ? 2 : 1;
}

}  // namespace

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) width += WidthOf(TakeCharacter(text));
  return width;
}

std::vector<std::string> WrapToWidth(const std::string& text, std::size_t width) {
  std::vector<std::string> pieces;
  std::string_view rest = text;
  for (;;) {
    std::string_view after = rest;
    std::size_t used = 0;
    std::size_t end = 0;    // of what fits
    std::size_t space = 0;  // the last one within it, or just behind
    while (!after.empty()) {
      const std::size_t at = rest.size() - after.size();
      if (after.front() == ' ') space = at;
      used += WidthOf(TakeCharacter(after));
      if (used > width && at > 0) break;  // a single character that is too wide stands alone
      end = rest.size() - after.size();
    }
    if (end == rest.size()) break;
    if (space > 0) end = space;
    pieces.emplace_back(rest.substr(0, end));
    rest.remove_prefix(space > 0 ? end + 1 : end);  // the break stands for the space
  }
  pieces.emplace_back(rest);
  return pieces;
}

TextTable::TextTable(std::vector<Column> columns, std::size_t width)
    : columns_(std::move(columns)),
      has_space_(columns_.size(), false),
      shown_(columns_.size(), true),
      width_(width) {
  for (const auto& column : columns_) widths_.push_back(DisplayWidth(column.title));
}

void TextTable::Measure(const std::vector<std::string>& row) {
  for (std::size_t i = 0; i < columns_.size() && i < row.size(); ++i) {
    widths_[i] = std::max(widths_[i], DisplayWidth(row[i]));
    if (row[i].find(' ') != std::string::npos) has_space_[i] = true;
  }
}

void TextTable::Decide() {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].fit != Fit::kByContent) continue;
    const bool is_last = i + 1 == columns_.size();
    columns_[i].fit = has_space_[i] && widths_[i] > kMinWrapped ? Fit::kWraps
                      : is_last                                 ? Fit::kFlows
                                                                : Fit::kWhole;
  }
}

std::size_t TextTable::LeastWidth(std::size_t column) const {
  if (columns_[column].fit == Fit::kWhole) return widths_[column];
  return std::min(widths_[column], std::max(kMinWrapped, DisplayWidth(columns_[column].title)));
}

std::size_t TextTable::Total(bool at_least) const {
  std::size_t total = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!shown_[i]) continue;
    const bool least = at_least || columns_[i].fit == Fit::kFlows;
    total += (total > 0 ? kGap.size() : 0) + (least ? LeastWidth(i) : widths_[i]);
  }
  return total;
}

bool TextTable::DropOne() {
  std::size_t found = columns_.size();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!shown_[i] || columns_[i].rank == 0) continue;
    if (found == columns_.size() || columns_[i].rank >= columns_[found].rank) found = i;
  }
  if (found == columns_.size()) return false;
  shown_[found] = false;
  return true;
}

void TextTable::Freeze() {
  if (width_ == 0) return;
  Decide();
  while (Total(/*at_least=*/true) > width_ && DropOne()) continue;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!shown_[i]) dropped_.push_back(columns_[i].title);
  }
  // The widest column of free text gives first.
  for (std::size_t total = Total(false); total > width_; --total) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const bool can = shown_[i] && columns_[i].fit == Fit::kWraps && widths_[i] > kMinSqueezed;
      if (can && (widest == columns_.size() || widths_[i] > widths_[widest])) widest = i;
    }
    if (widest == columns_.size()) return;
    --widths_[widest];
  }
}

std::string TextTable::Header() const {
  std::vector<std::string> titles;
  titles.reserve(columns_.size());
  for (const auto& column : columns_) titles.push_back(column.title);
  return Line(titles);
}

std::string TextTable::Line(const std::vector<std::string>& row) const {
  std::vector<std::vector<std::string>> cells;  // of each column that is shown, in pieces
  std::size_t lines = 1;
  for (std::size_t i = 0; i < columns_.size() && i < row.size(); ++i) {
    if (!shown_[i]) continue;
    const bool wraps = width_ > 0 && columns_[i].fit == Fit::kWraps;
    cells.push_back(wraps ? WrapToWidth(row[i], widths_[i]) : std::vector{row[i]});
    lines = std::max(lines, cells.back().size());
  }
  std::string text;
  for (std::size_t n = 0; n < lines; ++n) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < columns_.size() && i < row.size(); ++i) {
      if (!shown_[i]) continue;
      const std::string cell = n < cells[at].size() ? cells[at][n] : "";
      const std::size_t width = DisplayWidth(cell);
      const std::string padding(widths_[i] > width ? widths_[i] - width : 0, ' ');
      if (at++ > 0) text += kGap;
      text += columns_[i].right ? padding + cell : cell + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += "\n";
  }
  return text;
}

}  // namespace holdfast::cli
