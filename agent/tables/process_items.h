// Rows of tables that have several for each process: lines of a file of /proc/PID, or the names in a
// directory of it. One process and one item at a time; a constraint on pid visits that process only.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "agent/tables/table.h"

namespace holdfast::agent {

inline constexpr char kNames = '/';  // as the separator: the file is a directory

struct ProcessItems {
  std::string_view file;  // below /proc/PID; "": one item per process, ""
  char separator = '\n';
  // False: this item gives no row. pid_column is filled already.
  bool (*fill)(Machine& machine, std::int64_t pid, std::string_view item, Row& row) = nullptr;
};

std::unique_ptr<RowSource> RowsOfProcesses(const Request& request, std::size_t pid_column,
                                           Machine& machine, const ProcessItems& items);

}  // namespace holdfast::agent
