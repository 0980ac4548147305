// What `agents`, `jobs` and `audit` print, apart from asking for it.
#pragma once

#include <vector>

#include "backend/cli/commands.h"
#include "backend/cli/record_printer.h"
#include "common/base/time.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::cli {

void PrintAgents(const Call& call, const std::vector<::holdfast::api::v1::Agent>& agents,
                 WallTime now);
void PrintJobs(const Call& call, const std::vector<::holdfast::api::v1::CommandSummary>& jobs);

std::vector<RecordColumn> AuditColumns(Format format);
std::vector<Cell> AuditCells(Format format, const ::holdfast::api::v1::AuditRecord& record);

}  // namespace holdfast::cli
