// The definitions of backend/artifacts, as the build puts them into the program.
//
// Threading: constants.
#pragma once

#include <span>
#include <string_view>

namespace holdfast::sdk {

struct BuiltInArtifacts {
  std::string_view name;  // of the file
  std::string_view text;
};
extern const std::span<const BuiltInArtifacts> kBuiltInArtifacts;

}  // namespace holdfast::sdk
