// query: SQL over the tables.
#include <string>

#include "agent/adapters/query/query_engine.h"
#include "agent/tables/registry.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/scanning_machine.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

class WriterSink : public QuerySink {
 public:
  explicit WriterSink(RowWriter& writer) : writer_(writer) {}

  void OnColumns(std::vector<QueryColumn> columns) override {
    std::vector<RowColumn> out;
    out.reserve(columns.size());
    for (const QueryColumn& column : columns) out.push_back({column.name, column.type});
    writer_.Columns(out);
  }

  bool OnRow(std::span<const QueryValue> values) override {
    for (const QueryValue& value : values) {
      switch (value.kind) {
        case QueryValue::Kind::kNull: writer_.AddNull(); break;
        case QueryValue::Kind::kInteger: writer_.AddInteger(value.integer); break;
        case QueryValue::Kind::kReal: writer_.AddReal(value.real); break;
        case QueryValue::Kind::kText: writer_.AddText(value.bytes); break;
        case QueryValue::Kind::kBlob: writer_.AddBlob(value.bytes); break;
      }
    }
    return writer_.EndRow();
  }

 private:
  RowWriter& writer_;
};

pb::Result ResultOf(const QueryEnd& end) {
  switch (end.stop) {
    case QueryStop::kDone:
    case QueryStop::kSinkFull: return DoneWith(end.note);  // RowWriter knows which limit
    case QueryStop::kBadSql: return Failed(pb::COMMAND_FAILURE_SQL, end.message);
    case QueryStop::kWallLimit: return Failed(pb::COMMAND_FAILURE_WALL_LIMIT, end.message);
    case QueryStop::kMemoryLimit: return Failed(pb::COMMAND_FAILURE_MEMORY_LIMIT, end.message);
  }
  HF_UNREACHABLE("a QueryStop outside its enum");
}

}  // namespace

pb::Result RunQuery(const pb::QueryArgs& args, VerbRun& run) {
  ScanningMachine machine(run.state_dir, {.cpu_percent = run.limits.cpu_percent,
                                          .disk_bytes_per_s = run.limits.disk_bytes_per_s});
  // SQLite's heap gets half: rows and files that tables hold need the rest of the worker's memory.
  QueryEngine engine(machine, AllTables(),
                     {.wall_ms = run.limits.wall_ms, .heap_bytes = run.limits.mem_bytes / 2});
  RowWriter writer(run.out, run.limits.rows);
  WriterSink sink(writer);
  const QueryEnd end = engine.Run(args.sql(), sink);
  return writer.Finish(ResultOf(end));
}

}  // namespace holdfast::agent
