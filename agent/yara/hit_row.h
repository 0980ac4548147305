// A match as the worker takes it (agent/core/scan_messages.h, kHit). Apart from yara.h, whose macros and protobuf's names
// do not go together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace holdfast::yara {

struct Hit {
  std::string rule, name_space, tags, meta;
  struct Match {
    std::string string;
    std::int64_t offset = 0;
    std::string data;
  };
  std::optional<Match> match;  // none: the rule holds without one
};
std::string HitRow(Hit hit);

}  // namespace holdfast::yara
