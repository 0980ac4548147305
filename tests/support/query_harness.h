// QueryHarness: SQL over the fixture tree, rows as text.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
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

// The same over this very machine.
inline Rows AskThisMachine(const std::string& sql) {
  ProcfsMachine machine;
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  const QueryEnd end = engine.Run(sql, sink);
  return end.stop == QueryStop::kDone ? sink.rows : Rows{"failed: " + end.message};
}

// The lines that a program of this machine writes.
inline Rows LinesOf(const std::string& command) {
  Rows lines;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return lines;
  std::string text;
  std::array<char, 4096> piece = {};
  while (const std::size_t got = fread(piece.data(), 1, piece.size(), pipe)) {
    text.append(piece.data(), got);
  }
  pclose(pipe);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

inline Rows Sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace holdfast::agent
