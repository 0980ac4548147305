#include "backend/cli/text_table.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace holdfast::cli {
namespace {

constexpr std::string_view kGap = "  ";
// What a column of free text keeps while others are whole: enough to recognise it.
constexpr std::size_t kMinFreeText = 8;
constexpr char kEllipsis[] = "\xE2\x80\xA6";

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

std::string CutToWidth(const std::string& text, std::size_t width) {
  if (width == 0 || DisplayWidth(text) <= width) return text;
  std::string_view rest = text;
  std::size_t used = 0;
  while (!rest.empty()) {
    std::string_view next = rest;
    const std::size_t more = WidthOf(TakeCharacter(next));
    if (used + more > width - 1) break;
    used += more;
    rest = next;
  }
  return text.substr(0, text.size() - rest.size()) + kEllipsis;
}

TextTable::TextTable(std::vector<Column> columns, std::size_t width)
    : columns_(std::move(columns)), width_(width) {
  for (const auto& column : columns_) widths_.push_back(DisplayWidth(column.title));
}

void TextTable::Measure(const std::vector<std::string>& row) {
  for (std::size_t i = 0; i < columns_.size() && i < row.size(); ++i) {
    widths_[i] = std::max(widths_[i], DisplayWidth(row[i]));
  }
}

void TextTable::Freeze() {
  if (width_ == 0 || widths_.empty()) return;
  const std::size_t gaps = kGap.size() * (widths_.size() - 1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::size_t total = std::accumulate(widths_.begin(), widths_.end(), gaps);
    if (!columns_[i].gives_way || total <= width_ || widths_[i] <= kMinFreeText) continue;
    widths_[i] = std::max(widths_[i] - std::min(widths_[i], total - width_), kMinFreeText);
  }
  for (;;) {
    const std::size_t total = std::accumulate(widths_.begin(), widths_.end(), gaps);
    if (total <= width_) return;
    const auto widest = std::max_element(widths_.begin(), widths_.end());
    if (*widest <= kMinColumn) return;
    // Down to the next widest, or as far as needed.
    std::size_t next = kMinColumn;
    for (const std::size_t w : widths_) {
      if (w < *widest) next = std::max(next, w);
    }
    *widest = std::max(*widest - std::min(*widest, total - width_), next);
    if (*widest == next && next > kMinColumn) --*widest;  // then they go down together
  }
}

std::string TextTable::Header() const {
  std::vector<std::string> titles;
  titles.reserve(columns_.size());
  for (const auto& column : columns_) titles.push_back(column.title);
  return Line(titles);
}

std::string TextTable::Line(const std::vector<std::string>& row) const {
  std::string line;
  for (std::size_t i = 0; i < columns_.size() && i < row.size(); ++i) {
    const std::string cell = CutToWidth(row[i], width_ == 0 ? 0 : widths_[i]);
    const std::size_t width = DisplayWidth(cell);
    const std::string padding(widths_[i] > width ? widths_[i] - width : 0, ' ');
    if (i > 0) line += kGap;
    line += columns_[i].right ? padding + cell : cell + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace holdfast::cli
