// Labels as one value of a row: "k=v\nk=v". Neither keys nor values hold a newline, and keys hold no '='.
//
// Threading: pure functions.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "backend/core/store.h"

namespace holdfast::backend {

inline std::string PackLabels(const Labels& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    if (!out.empty()) out += '\n';
    out.append(key).append("=").append(value);
  }
  return out;
}

inline Labels UnpackLabels(std::string_view packed) {
  Labels out;
  while (!packed.empty()) {
    const std::string_view line = packed.substr(0, packed.find('\n'));
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos) {
      out.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    }
    packed.remove_prefix(std::min(packed.size(), line.size() + 1));
  }
  return out;
}

}  // namespace holdfast::backend
