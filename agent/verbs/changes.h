// Changes: what a verb that alters files did and could not do, and the row and the result of it.
//
// Limits:    counts all, keeps the first failure.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "agent/verbs/row_writer.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

inline constexpr RowColumn kChangeColumns[] = {{"path", "TEXT"},    {"target", "TEXT"},
                                               {"files", "BIGINT"}, {"directories", "BIGINT"},
                                               {"bytes", "BIGINT"}, {"failed", "BIGINT"}};

struct Changes {
  std::uint64_t files = 0;  // all that are no directories
  std::uint64_t directories = 0;
  std::uint64_t bytes = 0;
  std::uint64_t failed = 0;
  command::v1::Result first;  // failure

  void Fail(command::v1::Result failure);
  void Fail(const std::string& path, int error);
  // The row of kChangeColumns; `target` may be empty. False: a limit.
  bool AddRow(RowWriter& rows, const std::string& path, const std::string& target) const;
  // DONE, or the first failure, which says how many more there are.
  command::v1::Result End() const;
};

}  // namespace holdfast::agent
