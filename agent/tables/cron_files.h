// Where cron keeps its jobs, and a line of it.
//
// Threading: pure but for the Machine.
// Errors:    a line that is no job is nullopt.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/places.h"

namespace holdfast::agent {

struct CronJob {
  std::string_view event;                  // @reboot and the like; else the five fields
  std::array<std::string_view, 5> fields;  // minute, hour, day of month, month, day of week
  std::string_view command;                // in system files the user comes first
};
std::optional<CronJob> ParseCronLine(std::string_view line);

// place.kind: 1 when the lines name a user before the command.
std::vector<Place> CronFiles(Machine& machine);

}  // namespace holdfast::agent
