#include "backend/cli/record_printer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/cli/json_text.h"

namespace holdfast::cli {
namespace {

std::vector<TextTable::Column> TableColumns(const std::vector<RecordColumn>& columns) {
  std::vector<TextTable::Column> out;
  for (const auto& column : columns) {
    if (!column.in_table) continue;
    out.push_back({ForTerminal(Untrusted(column.name)), false, column.fit, column.rank});
  }
  return out;
}

bool IsNumber(const Cell& cell) {
  if (cell.kind != Cell::Kind::kLiteral) return false;
  const std::string& text = cell.text.raw_for_storage();
  return text != "true" && text != "false";
}

}  // namespace

std::vector<std::string> DistinctNames(std::vector<std::string> names) {
  std::set<std::string> used;
  for (auto& name : names) {
    std::string distinct = name;
    for (int n = 2; !used.insert(distinct).second; ++n) distinct = name + "_" + std::to_string(n);
    name = std::move(distinct);
  }
  return names;
}

std::string CsvLine(const std::vector<Cell>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    // A number is ours and stays one: -5 is no formula.
    line += cells[i].kind == Cell::Kind::kLiteral ? cells[i].text.raw_for_storage()
                                                  : ForCsv(cells[i].text);
  }
  return line + "\r\n";
}

RecordPrinter::RecordPrinter(Console& console, Format format, std::vector<RecordColumn> columns)
    : console_(console),
      format_(format),
      columns_(std::move(columns)),
      table_(TableColumns(columns_), console.width()) {
  all_numbers_.assign(TableColumns(columns_).size(), true);
  if (format_ == Format::kCsv) {
    std::vector<Cell> names;
    for (const auto& column : columns_) names.push_back(Cell::Text(column.name));
    console_.Out(CsvLine(names));
  }
}

void RecordPrinter::Add(const std::vector<Cell>& cells) {
  switch (format_) {
    case Format::kTable: AddToTable(cells); break;
    case Format::kCsv: console_.Out(CsvLine(cells)); break;
    case Format::kJson:
    case Format::kJsonl: {
      JsonObject object;
      for (std::size_t i = 0; i < columns_.size() && i < cells.size(); ++i) {
        object.Put(columns_[i].name, cells[i]);
      }
      const bool in_array = format_ == Format::kJson;
      const char* before = !in_array ? "" : count_ == 0 ? "[\n" : ",\n";
      console_.Out(before + object.str() + (in_array ? "" : "\n"));
      break;
    }
  }
  ++count_;
}

void RecordPrinter::AddToTable(const std::vector<Cell>& cells) {
  std::vector<std::string> row;
  for (std::size_t i = 0; i < columns_.size() && i < cells.size(); ++i) {
    if (!columns_[i].in_table) continue;
    const Cell& cell = cells[i];
    if (cell.kind != Cell::Kind::kNull && !IsNumber(cell)) all_numbers_[row.size()] = false;
    row.push_back(ForTerminal(cell.text));
  }
  if (table_begun_) {
    console_.Out(table_.Line(row));
    return;
  }
  table_.Measure(row);
  held_.push_back(std::move(row));
  if (held_.size() == kMeasuredRows) PrintTable();
}

void RecordPrinter::PrintTable() {
  table_.Freeze();
  for (std::size_t i = 0; i < all_numbers_.size(); ++i) {
    if (all_numbers_[i] && !held_.empty()) table_.AlignRight(i);
  }
  std::string text = table_.Header();
  for (const auto& row : held_) text += table_.Line(row);
  console_.Out(text);
  held_.clear();
  table_begun_ = true;
}

void RecordPrinter::SayWhatIsLeftOut() {
  const auto& dropped = table_.Dropped();
  if (dropped.empty()) return;
  std::string names;
  for (const auto& name : dropped) names += (names.empty() ? "" : ", ") + name;
  console_.Say(
      (dropped.size() == 1 ? "1 column does" : std::to_string(dropped.size()) + " columns do") +
      std::string(" not fit here: ") + names + " (-o json shows all)");
}

void RecordPrinter::Finish() {
  if (format_ == Format::kTable) {
    if (!table_begun_) PrintTable();
    SayWhatIsLeftOut();
  }
  if (format_ == Format::kJson) console_.Out(count_ == 0 ? "[]\n" : "\n]\n");
}

}  // namespace holdfast::cli
