#include "backend/sdk/fleet.h"

#include "backend/sdk/files.h"

namespace holdfast::sdk {
namespace {

constexpr std::size_t kMaxTomlBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxCaBytes = std::size_t{16} * 1024;  // trust.proto, Bundle.ca_pem
constexpr std::size_t kMaxOperatorBytes = 64;  // trust.proto, OperatorCert.operator_id

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<std::string> DirOfProfile(const std::string& config_file, const std::string& wanted) {
  HF_ASSIGN_OR_RETURN(const std::string text, ReadFile(config_file, kMaxTomlBytes));
  auto profiles = ParseProfiles(text);
  if (!profiles.ok()) return std::move(profiles).error().In(config_file);
  const std::string name = wanted.empty() ? profiles.value().default_name : wanted;
  if (name.empty()) {
    return Error{Code::kNotFound,
                 config_file + " names no default profile; use --profile NAME or --dir DIR"};
  }
  const auto found = profiles.value().dirs.find(name);
  if (found == profiles.value().dirs.end()) {
    return Error{Code::kNotFound, config_file + " has no profile '" + name + "'"};
  }
  return found->second;
}

}  // namespace

bool IsOperatorName(std::string_view name) {
  if (name.empty() || name.size() > kMaxOperatorBytes || !IsAlphanumeric(name.front())) {
    return false;
  }
  for (const char c : name) {
    if (!IsAlphanumeric(c) && c != '.' && c != '_' && c != '@' && c != '-') return false;
  }
  return true;
}

Result<Fleet> LoadFleet(const std::string& dir) {
  Fleet fleet;
  fleet.paths.dir = dir;
  auto text = ReadFile(fleet.paths.fleet_toml(), kMaxTomlBytes);
  if (!text.ok() && text.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, "no fleet in " + dir +
                                      " (fleet.toml is not there); make one with: holdfast init "
                                      "--dir " +
                                      dir};
  }
  if (!text.ok()) return std::move(text).error();
  auto toml = ParseFleetToml(text.value());
  if (!toml.ok()) return std::move(toml).error().In(fleet.paths.fleet_toml());
  fleet.toml = std::move(toml).value();
  const std::string& ca = fleet.toml.ca;
  const std::string ca_path = ca.starts_with('/') ? ca : dir + "/" + ca;
  HF_ASSIGN_OR_RETURN(fleet.ca_pem, ReadFile(ca_path, kMaxCaBytes));
  return fleet;
}

Result<std::string> FindFleetDir(const FleetChoice& choice) {
  if (choice.dir) return *choice.dir;
  if (choice.profile) return DirOfProfile(choice.config_file, *choice.profile);
  if (!choice.env_dir.empty()) return choice.env_dir;
  if (!choice.config_file.empty() && Exists(choice.config_file)) {
    return DirOfProfile(choice.config_file, "");
  }
  return Error{Code::kNotFound,
               "which fleet? Use --dir DIR, set HOLDFAST_DIR, or name a default profile in " +
                   (choice.config_file.empty() ? std::string("config.toml") : choice.config_file)};
}

}  // namespace holdfast::sdk
