// Answers of query, ls, stat, hash, ps and kill: rows, printed when the target has ended and its
// output is the one that was signed.
#include <optional>
#include <utility>

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/row_view.h"
#include "backend/cli/value_cell.h"
#include "backend/sdk/output_reader.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;

class RowAnswers final : public Answers {
 public:
  using Answers::Answers;

 private:
  Status Take(const AgentId& agent, std::string_view bytes) override {
    std::string& output = outputs_[agent];
    if (output.size() > kMaxHeldBytes) return Ok();  // Check() tells
    output += bytes;
    return Ok();
  }
  // Reads all of it before a row is printed: an answer is shown whole or not at all.
  std::string Check(const sdk::TargetEnd& end) override {
    const auto found = outputs_.find(end.agent);
    if (found == outputs_.end() || !end.output_verified) return "";
    if (found->second.size() > kMaxHeldBytes) {
      return "more rows than are held here; ask for fewer: --max-rows, --max-bytes";
    }
    sdk::RowReader reader;
    reader.Push(found->second);
    for (;;) {
      const auto batch = reader.Next();
      if (!batch.ok()) return batch.error().message;
      if (!batch.value()) break;
    }
    return reader.empty() ? "" : "the output ends within a row";
  }
  Status Reset(const AgentId& agent) override {
    outputs_.erase(agent);
    return Ok();
  }
  bool own_lines() const override { return true; }

  Status Finish(const sdk::TargetEnd& end, JsonObject& answer) override {
    const auto output = outputs_.extract(end.agent);
    const bool trusted = end.problem.empty() && end.output_verified;
    sdk::RowReader reader;
    if (trusted && !output.empty()) reader.Push(output.mapped());
    JsonArray rows;
    std::vector<std::string> names;
    for (;;) {
      const auto batch = reader.Next();
      if (!batch.ok() || !batch.value()) break;  // Check() has read it all
      for (const auto& column : batch.value()->columns()) names.push_back(column.name());
      if (batch.value()->columns_size() > 0) names = Columns(std::move(names));
      for (const auto& row : batch.value()->rows()) PrintRow(end.agent, names, row, rows);
    }
    answer.Bool("truncated", trusted && end.result && end.result->truncated());
    answer.Raw("rows", rows.str());
    return Ok();
  }

  // The names as they are printed; begins a new table when they are not those of the one before.
  std::vector<std::string> Columns(std::vector<std::string> names) {
    if (call_.options.format == Format::kJson) return DistinctNames(std::move(names));
    if (job_.several) names.insert(names.begin(), {"host", "agent_id"});
    names = DistinctNames(std::move(names));
    if (names == printed_names_) return names;
    if (printer_) printer_->Finish();
    printer_.emplace(call_.console, call_.options.format, PrintedColumns(names));
    printed_names_ = names;
    return names;
  }

  // As they came, but in tables of verbs whose columns we know.
  std::vector<RecordColumn> PrintedColumns(const std::vector<std::string>& names) {
    std::vector<RecordColumn> columns;
    view_ = std::nullopt;
    if (call_.options.format == Format::kTable) view_ = RowView::For(job_.command, names);
    if (view_) {
      columns = view_->columns();
      if (job_.several) columns.insert(columns.begin(), {"host"});
      return columns;
    }
    const std::size_t own = job_.several ? 2 : 0;  // host and agent_id
    for (std::size_t i = 0; i < names.size(); ++i) {
      const bool shown = !job_.several || i != 1;  // people read the host
      RecordColumn column = i < own ? RecordColumn{names[i]} : QueryColumn(names[i], i - own);
      column.in_table = shown;
      columns.push_back(std::move(column));
    }
    return columns;
  }

  void PrintRow(const AgentId& agent, const std::vector<std::string>& names, const pb::Row& row,
                JsonArray& rows) {
    if (call_.options.format == Format::kJson) {
      JsonObject object;
      for (int i = 0; i < row.values_size(); ++i) {
        object.Put(names[static_cast<std::size_t>(i)], ToCell(row.values(i)));
      }
      rows.Add(object.str());
      return;
    }
    std::vector<Cell> cells;
    if (job_.several) {
      cells.push_back(Cell::Text(HostOf(agent)));
      cells.push_back(Cell::Text(agent.hex()));
    }
    for (const auto& value : row.values()) cells.push_back(ToCell(value));
    if (view_) {
      auto shown = view_->Cells(cells);
      if (job_.several) shown.insert(shown.begin(), cells[0]);
      cells = std::move(shown);
    }
    printer_->Add(cells);
  }

  void FinishAll() override {
    if (printer_) printer_->Finish();
  }

  std::map<AgentId, std::string> outputs_;  // of targets that have not ended
  std::optional<RecordPrinter> printer_;
  std::vector<std::string> printed_names_;
  std::optional<RowView> view_;  // of printer_'s table
};

}  // namespace

std::unique_ptr<Answers> MakeRowAnswers(const Call& call, const Job& job) {
  return std::make_unique<RowAnswers>(call, job);
}

}  // namespace holdfast::cli
