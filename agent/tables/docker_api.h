// What a container engine says over its socket (Docker Engine API; podman answers alike): one GET at a time.
//
// Limits:    kMaxDockerBytes of an answer.
// Threading: as the Machine.
// Errors:    no socket: "", silently. Others: "", and a note says why. No answer aborts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/tables/machine.h"
#include "agent/tables/table.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxDockerBytes = std::size_t{16} << 20;

// The JSON that the engine has at `path`, e.g. "/info".
std::string AskDocker(Machine& machine, std::string_view path);
// The body of an answer of HTTP/1.0; nullopt unless it is 200 OK.
std::optional<std::string> BodyOfHttp(std::string_view answer);
// What may stand in the path of a request: letters, digits, '_', '.', '-'.
bool IsContainerId(std::string_view id);

// The value at "State.Pid" below `object`, for a column of that type: true is 1, lists are ['a', 'b'] as osquery
// writes them. NULL when it is not there.
SqlValue DockerValue(std::string_view object, std::string_view path, ColumnType type);

}  // namespace holdfast::agent
