#include "agent/verbs/changes.h"

#include <utility>

#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

void Changes::Fail(command::v1::Result failure) {
  if (failed++ == 0) first = std::move(failure);
}

void Changes::Fail(const std::string& path, int error) { Fail(FailedErrno(error, path)); }

bool Changes::AddRow(RowWriter& rows, const std::string& path, const std::string& target) const {
  rows.AddText(path);
  if (target.empty()) {
    rows.AddNull();
  } else {
    rows.AddText(target);
  }
  for (const std::uint64_t count : {files, directories, bytes, failed}) {
    rows.AddInteger(static_cast<std::int64_t>(count));
  }
  return rows.EndRow();
}

command::v1::Result Changes::End() const {
  if (failed == 0) return Done();
  if (failed == 1) return first;
  return Failed(first.failure(),
                first.message() + " (and " + std::to_string(failed - 1) + " more)");
}

}  // namespace holdfast::agent
