// Which fleet, and whose key.
#include <cstdlib>

#include "backend/cli/commands.h"

namespace holdfast::cli {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return value == nullptr ? "" : value;
}

std::string ConfigFile() {
  const std::string config_home = Environment("XDG_CONFIG_HOME");
  if (!config_home.empty()) return config_home + "/holdfast/config.toml";
  const std::string home = Environment("HOME");
  return home.empty() ? "" : home + "/.config/holdfast/config.toml";
}

}  // namespace

Result<sdk::Fleet> ChooseFleet(const Options& options) {
  sdk::FleetChoice choice;
  if (!options.dir.empty()) choice.dir = options.dir;
  if (!options.profile.empty()) choice.profile = options.profile;
  choice.env_dir = Environment("HOLDFAST_DIR");
  choice.config_file = ConfigFile();
  HF_ASSIGN_OR_RETURN(const std::string dir, sdk::FindFleetDir(choice));
  return sdk::LoadFleet(dir);
}

std::string OperatorName(const Options& options, const sdk::Fleet& fleet) {
  return options.operator_name.empty() ? fleet.toml.operator_name : options.operator_name;
}

}  // namespace holdfast::cli
