// Where browsers keep their profiles below a home.
//
// Threading: pure but for the Machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/places.h"

namespace holdfast::agent {

// Directories that hold profiles: of Chrome and its relatives, of Firefox, of both.
std::vector<Place> ChromePlaces(Machine& machine, const std::optional<std::string>& uid);
std::vector<Place> FirefoxPlaces(Machine& machine, const std::optional<std::string>& uid);
std::vector<Place> BrowserPlaces(Machine& machine, const std::optional<std::string>& uid);

std::string_view BrowserType(const Place& place);  // of one of these

// Microseconds since 1601, as Chrome counts, to Unix s; 0 stays 0.
constexpr std::int64_t ChromeSeconds(std::int64_t microseconds) {
  constexpr std::int64_t kFrom1601 = 11'644'473'600;
  return microseconds == 0 ? 0 : microseconds / 1'000'000 - kFrom1601;
}

}  // namespace holdfast::agent
