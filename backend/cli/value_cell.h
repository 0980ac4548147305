// ToCell: a value of a row, as the endpoint sent it.
//
// Threading: a pure function.
#pragma once

#include "backend/cli/cell.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::cli {

Cell ToCell(const ::holdfast::command::v1::Value& value);

}  // namespace holdfast::cli
