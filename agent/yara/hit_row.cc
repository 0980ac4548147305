#include "agent/yara/hit_row.h"

#include <utility>

#include "agent/core/scan_messages.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::yara {

std::string HitRow(Hit hit) {
  command::v1::Row row;
  for (std::string* const text : {&hit.rule, &hit.name_space, &hit.tags, &hit.meta}) {
    if (text->size() > agent::kMaxScanTextBytes) text->resize(agent::kMaxScanTextBytes);
    row.add_values()->set_text(std::move(*text));
  }
  while (row.values_size() < agent::kScanHitColumns) row.add_values();
  if (hit.match) {
    row.mutable_values(4)->set_text(hit.match->string.substr(0, agent::kMaxScanTextBytes));
    row.mutable_values(5)->set_integer(hit.match->offset);
    row.mutable_values(6)->set_blob(hit.match->data.substr(0, agent::kMaxScanDataBytes));
  }
  return row.SerializeAsString();
}

}  // namespace holdfast::yara
