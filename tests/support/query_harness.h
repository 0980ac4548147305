// QueryHarness: SQL over the fixture tree, rows as text.
#pragma once

#include <string>
#include <vector>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/adapters/query/query_engine.h"
#include "agent/tables/registry.h"
#include "tests/support/recording_machine.h"

namespace holdfast::agent {

// Rows as text, values between '|', NULL as "NULL".
class TextSink : public QuerySink {
 public:
  void OnColumns(std::vector<QueryColumn> columns_of) override { columns = std::move(columns_of); }
  bool OnRow(std::span<const QueryValue> values) override {
    std::string row;
    for (const QueryValue& value : values) {
      if (&value != values.data()) row += "|";
      switch (value.kind) {
        case QueryValue::Kind::kNull: row += "NULL"; break;
        case QueryValue::Kind::kInteger: row += std::to_string(value.integer); break;
        case QueryValue::Kind::kReal: row += std::to_string(value.real); break;
        default: row += value.bytes;
      }
    }
    rows.push_back(std::move(row));
    return true;
  }
  std::vector<QueryColumn> columns;
  std::vector<std::string> rows;
};

using Rows = std::vector<std::string>;

class QueryHarness {
 public:
  Rows Ask(const std::string& sql) {
    QueryEngine engine(machine, AllTables(), {});
    TextSink sink;
    end = engine.Run(sql, sink);
    return end.stop == QueryStop::kDone ? sink.rows : Rows{"failed: " + end.message};
  }

 private:
  ProcfsMachine fixture_{HOLDFAST_FIXTURES "/procfs_fixture"};

 public:
  RecordingMachine machine{fixture_};
  QueryEnd end;
};

}  // namespace holdfast::agent
