// Host names: what to call the targets of one command, on the screen and as directories.
//
// A hostname is a claim of its agent: two agents may make the same one, and any bytes may be in it.
//
// Threading: pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backend/sdk/targets.h"
#include "common/base/ids.h"

namespace holdfast::cli {

// For people, safe on a terminal. Equal ones get the id's first 8 digits added: "web-6f1c0a2b"; so does
// a host that calls itself what another one is shown as then. No two are shown alike, and the name of
// none depends on the order of the targets.
std::map<AgentId, std::string> ShownHosts(const std::vector<sdk::Target>& targets);
// As the name of a directory: letters, digits, '.', '_', '-', anything else '_'; never ".", ".." or
// hidden; distinct like the shown ones.
std::map<AgentId, std::string> DirectoryNames(const std::vector<sdk::Target>& targets);

}  // namespace holdfast::cli
