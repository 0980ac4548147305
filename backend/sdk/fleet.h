// Fleet: what the tools need to know about one fleet, read from its directory.
//
//   fleet.toml --> LoadFleet(dir) --> Fleet
//   --dir, HOLDFAST_DIR, a profile --> FindFleetDir --> dir
//
// An analyst's machine needs only part of a fleet directory: fleet.toml, the CA it names, and
// operator/NAME.{key,cert}.
//
// Limits:    fleet.toml and config.toml at most 64 KiB, 8 servers, the CA at most 16 KiB.
// Threading: pure functions of the file system.
// Errors:    kNotFound when there is no fleet, kInvalid or kCorrupt with file, line and key.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sdk/fleet_paths.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::sdk {

// fleet.toml, as written.
struct FleetToml {
  FleetId id;
  std::string name;                      // <= 64 B
  std::vector<std::string> servers;      // wss://HOST:PORT, where agents connect
  std::string api;                       // wss://HOST:PORT, where the tools connect
  std::string ca = "server/tls/ca.crt";  // relative to the directory, or absolute
  std::string operator_name = "default";
};
std::string TomlString(const std::string& text);  // quoted; the text has no control characters
std::string FormatFleetToml(const FleetToml& fleet);
Result<FleetToml> ParseFleetToml(std::string_view text);

// ~/.config/holdfast/config.toml:
//   default = "lab"
//   [profiles.lab]
//   dir = "/srv/lab"
struct Profiles {
  std::string default_name;
  std::map<std::string, std::string> dirs;  // name -> fleet directory
};
Result<Profiles> ParseProfiles(std::string_view text);

struct Fleet {
  FleetPaths paths;
  FleetToml toml;
  std::string ca_pem;
};
Result<Fleet> LoadFleet(const std::string& dir);

// Where the fleet's directory may be named, strongest first.
struct FleetChoice {
  std::optional<std::string> dir;      // --dir
  std::optional<std::string> profile;  // --profile
  std::string env_dir;                 // HOLDFAST_DIR, "" if unset
  std::string config_file;             // config.toml, may be missing
};
Result<std::string> FindFleetDir(const FleetChoice& choice);

// [A-Za-z0-9][A-Za-z0-9._@-]{0,63}: safe as a file name and in the audit.
bool IsOperatorName(std::string_view name);

}  // namespace holdfast::sdk
