// What the files of the docker_* tables share: rows out of the JSON of the engine.
//
// Threading: as the Machine.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/docker_api.h"
#include "agent/tables/json.h"
#include "agent/tables/table.h"

namespace holdfast::agent {

// Fills columns from `first` on with the values at these paths; "" leaves one out.
inline void AddDockerValues(std::string_view object, std::span<const std::string_view> paths,
                            std::span<const Column> columns, std::size_t first, Row& row) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!paths[i].empty()) row[first + i] = DockerValue(object, paths[i], columns[first + i].type);
  }
}

inline Result<std::unique_ptr<RowSource>> ReadyDockerRows(std::vector<Row> rows) {
  return std::unique_ptr<RowSource>(std::make_unique<ReadyRows>(std::move(rows)));
}

// Each container that column 0 may name, as the list of all has it.
template <typename Each>
void EachContainer(const Request& request, Machine& machine, Each each) {
  const auto wanted = request.EqualText(0);
  const std::string list = AskDocker(machine, "/containers/json?all=1");
  std::string_view rest = list;
  std::string_view container;
  while (NextJsonElement(rest, container)) {
    const std::string id = TextOfJson(JsonMember(container, "Id"));
    if (!wanted || id == *wanted) each(container, id);
  }
}

}  // namespace holdfast::agent
