#include "backend/cli/value_cell.h"

#include "common/base/bytes.h"

namespace holdfast::cli {

namespace pb = ::holdfast::command::v1;

Cell ToCell(const pb::Value& value) {
  switch (value.kind_case()) {
    case pb::Value::kInteger: return Cell::Int(value.integer());
    case pb::Value::kReal: return Cell::Real(value.real());
    case pb::Value::kText: return Cell::Text(value.text());
    case pb::Value::kBlob: return Cell::Text(ToHex(value.blob()));
    case pb::Value::KIND_NOT_SET: break;
  }
  return Cell::Null();
}

}  // namespace holdfast::cli
