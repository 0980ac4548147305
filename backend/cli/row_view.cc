#include "backend/cli/row_view.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <string_view>
#include <utility>

#include "backend/cli/signal_names.h"
#include "backend/cli/size_text.h"
#include "backend/cli/time_text.h"

namespace holdfast::cli {
namespace {

using Fit = TextTable::Fit;
using Values = std::vector<Cell>;

const std::string& TextOf(const Cell& cell) { return cell.text.raw_for_storage(); }

template <typename Number>
std::optional<Number> NumberIn(const Cell& cell, int base = 10) {
  Number number{};
  const std::string& text = TextOf(cell);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

Cell AsItIs(const Values& v) { return v[0]; }

// type, mode -> "drwxr-xr-x"
Cell Mode(const Values& v) {
  const auto mode = NumberIn<std::uint32_t>(v[1], 8);
  if (!mode) return v[1];
  static constexpr std::array<std::pair<std::string_view, char>, 7> kTypes = {{{"regular", '-'},
                                                                               {"directory", 'd'},
                                                                               {"symlink", 'l'},
                                                                               {"character", 'c'},
                                                                               {"block", 'b'},
                                                                               {"fifo", 'p'},
                                                                               {"socket", 's'}}};
  const auto* const type =
      std::ranges::find(kTypes, TextOf(v[0]), &decltype(kTypes)::value_type::first);
  std::string text(1, type == kTypes.end() ? '?' : type->second);
  for (unsigned bit = 0; bit < 9; ++bit) {
    text += (*mode & (0400U >> bit)) != 0 ? "rwxrwxrwx"[bit] : '-';
  }
  constexpr std::uint32_t kSetUid = 04000, kSetGid = 02000, kSticky = 01000;
  if ((*mode & kSetUid) != 0) text[3] = text[3] == 'x' ? 's' : 'S';
  if ((*mode & kSetGid) != 0) text[6] = text[6] == 'x' ? 's' : 'S';
  if ((*mode & kSticky) != 0) text[9] = text[9] == 'x' ? 't' : 'T';
  return Cell::Text(text);
}

// user, uid
Cell Owner(const Values& v) { return v[0].kind == Cell::Kind::kNull ? v[1] : v[0]; }

// Unix seconds -> "2026-11-23 04:07"
Cell Minute(const Values& v) {
  constexpr std::uint64_t kMostSeconds = UINT64_MAX / 1000;
  const auto seconds = NumberIn<std::uint64_t>(v[0]);  // before 1970: as the endpoint says it
  if (!seconds || *seconds > kMostSeconds) return v[0];
  constexpr std::string_view kTail = ":00 UTC";
  std::string text = FormatTime(WallTime(*seconds * 1000));
  if (*seconds == 0) return Cell::Text("1970-01-01 00:00");  // FormatTime takes 0 for "never"
  return Cell::Text(text.substr(0, text.size() - kTail.size()));
}

Cell Size(const Values& v) {
  const auto bytes = NumberIn<std::uint64_t>(v[0]);
  return bytes ? Cell::Text(FormatSize(*bytes)) : v[0];
}

// path, symlink_target
Cell PathAndTarget(const Values& v) {
  if (v[1].kind == Cell::Kind::kNull) return v[0];
  return Cell::Text(TextOf(v[0]) + " -> " + TextOf(v[1]));
}

// cmdline, name: kernel threads have no command line.
Cell CommandLine(const Values& v) {
  if (!TextOf(v[0]).empty()) return v[0];
  return Cell::Text("[" + TextOf(v[1]) + "]");
}

// signal
Cell Signal(const Values& v) {
  const auto number = NumberIn<std::int32_t>(v[0]);
  std::string name = number ? SignalName(*number) : "";
  return name.empty() ? v[0] : Cell::Text(std::move(name));
}

struct Shown {
  RecordColumn column;
  Cell (*render)(const Values&);
  std::vector<std::string> from;
};

std::vector<Shown> FileColumns() {
  return {{{"mode"}, Mode, {"type", "mode"}},
          {{"owner"}, Owner, {"user", "uid"}},
          {{"size"}, AsItIs, {"size"}},
          {{"modified (UTC)"}, Minute, {"mtime"}},
          {{"path", true, Fit::kFlows}, PathAndTarget, {"path", "symlink_target"}}};
}
std::vector<Shown> FoundColumns() {
  std::vector<Shown> columns = FileColumns();
  columns.push_back({{"match at", true, Fit::kWhole, 1}, AsItIs, {"match_offset"}});
  return columns;
}
std::vector<Shown> HashColumns() {
  return {{{"sha256"}, AsItIs, {"sha256"}}, {{"path", true, Fit::kFlows}, AsItIs, {"path"}}};
}
std::vector<Shown> ProcessColumns() {
  return {{{"pid"}, AsItIs, {"pid"}},
          {{"ppid", true, Fit::kWhole, 3}, AsItIs, {"ppid"}},
          {{"user"}, AsItIs, {"user"}},
          {{"started (UTC)", true, Fit::kWhole, 1}, Minute, {"start_time"}},
          {{"memory", true, Fit::kWhole, 2}, Size, {"rss"}},
          {{"command", true, Fit::kFlows}, CommandLine, {"cmdline", "name"}}};
}

std::vector<Shown> SignalColumns() {
  return {{{"pid"}, AsItIs, {"pid"}},
          {{"name"}, AsItIs, {"name"}},
          {{"signal"}, Signal, {"signal"}},
          {{"result", true, Fit::kFlows}, AsItIs, {"result"}}};
}

}  // namespace

std::optional<RowView> RowView::For(const ::holdfast::command::v1::Command& command,
                                    const std::vector<std::string>& names) {
  std::vector<Shown> shown;
  if (command.has_ls() || command.has_stat()) shown = FileColumns();
  if (command.has_find()) {
    const bool looks_inside =
        !command.find().content().empty() || !command.find().content_regex().empty();
    shown = looks_inside ? FoundColumns() : FileColumns();
  }
  if (command.has_hash()) shown = HashColumns();
  if (command.has_ps()) shown = ProcessColumns();
  if (command.has_kill()) shown = SignalColumns();
  if (shown.empty()) return std::nullopt;
  RowView view;
  for (auto& column : shown) {
    Part part{column.render, {}};
    for (const auto& name : column.from) {
      const auto found = std::ranges::find(names, name);
      if (found == names.end()) return std::nullopt;  // of another agent
      part.from.push_back(static_cast<std::size_t>(found - names.begin()));
    }
    view.columns_.push_back(std::move(column.column));
    view.parts_.push_back(std::move(part));
  }
  return view;
}

std::vector<Cell> RowView::Cells(const std::vector<Cell>& row) const {
  std::vector<Cell> cells;
  for (const auto& part : parts_) {
    Values values;
    for (const std::size_t at : part.from)
      values.push_back(at < row.size() ? row[at] : Cell::Null());
    cells.push_back(part.render(values));
  }
  return cells;
}

RecordColumn QueryColumn(const std::string& name, std::size_t place) {
  // What a question is mostly about.
  static constexpr std::array<std::string_view, 13> kStay = {
      "pid", "name", "path",   "filename", "directory", "cmdline", "command",
      "md5", "sha1", "sha256", "time",     "username",  "hostname"};
  const bool stays = place == 0 || std::ranges::find(kStay, name) != kStay.end();
  return {name, true, Fit::kByContent, stays ? 0 : static_cast<unsigned>(place)};
}

}  // namespace holdfast::cli
