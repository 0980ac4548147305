// RecordPrinter: records of the same columns, in the format that was asked for.
//
//   Add(cells) ... Finish()   -->  table | json: one array | jsonl: an object a line | csv with
//   header
//
// jsonl and csv appear as they come. A table is held back until its columns can be measured.
//
// A table that had to leave columns out says which on stderr.
//
// Limits:    a table measures its first kMeasuredRows rows, then prints on with those widths.
// Ownership: borrows the console.
// Threading: one thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "backend/cli/cell.h"
#include "backend/cli/console.h"
#include "backend/cli/options.h"
#include "backend/cli/text_table.h"

namespace holdfast::cli {

struct RecordColumn {
  std::string name;      // in JSON and CSV
  bool in_table = true;  // tables show what people look for
  TextTable::Fit fit = TextTable::Fit::kWhole;
  unsigned rank = 0;  // what a table that is too wide leaves out first: the highest; 0 stays
};

// The same names, made distinct: a repeated one gets _2, _3, ...
std::vector<std::string> DistinctNames(std::vector<std::string> names);
// One line of CSV (RFC 4180), with CRLF.
std::string CsvLine(const std::vector<Cell>& cells);

class RecordPrinter {
 public:
  static constexpr std::size_t kMeasuredRows = 10'000;

  RecordPrinter(Console& console, Format format, std::vector<RecordColumn> columns);
  void Add(const std::vector<Cell>& cells);
  void Finish();  // once, also when there was no record
  std::size_t count() const { return count_; }

 private:
  void AddToTable(const std::vector<Cell>& cells);
  void PrintTable();
  void SayWhatIsLeftOut();

  Console& console_;
  const Format format_;
  std::vector<RecordColumn> columns_;
  std::size_t count_ = 0;
  std::vector<std::vector<std::string>> held_;  // rows of the table not printed yet
  std::vector<bool> all_numbers_;
  bool table_begun_ = false;
  TextTable table_;
};

}  // namespace holdfast::cli
