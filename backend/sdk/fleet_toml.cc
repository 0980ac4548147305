// The two TOML files of the tools. Alone in this file because toml++ takes long to compile.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "backend/sdk/fleet.h"
#include "backend/sdk/server_url.h"
#include "common/base/bytes.h"

namespace holdfast::sdk {
namespace {

constexpr std::size_t kMaxServers = 8;     // trust.proto, Bundle.servers
constexpr std::size_t kMaxNameBytes = 64;  // trust.proto, Bundle.fleet_name
constexpr std::size_t kMaxProfiles = 256;  // more is a mistake

std::string Where(const toml::node* node) {
  if (node == nullptr) return "";
  return "line " + std::to_string(node->source().begin.line) + ": ";
}

Error Wrong(const toml::node* node, const std::string& what) {
  return {Code::kInvalid, Where(node) + what};
}

Result<toml::table> ParseTable(std::string_view text) {
  auto parsed = toml::parse(text);
  if (!parsed) {
    return Error{Code::kInvalid, "line " + std::to_string(parsed.error().source().begin.line) +
                                     ": " + std::string(parsed.error().description())};
  }
  return std::move(parsed).table();
}

// A string that must be there, or may be missing when `fallback` is given.
Result<std::string> ReadString(const toml::table& table, const char* key,
                               const std::string* fallback = nullptr) {
  const toml::node* node = table.get(key);
  if (node == nullptr && fallback != nullptr) return *fallback;
  if (node == nullptr) return Error{Code::kInvalid, std::string("key '") + key + "' is missing"};
  const auto text = node->value_exact<std::string>();
  if (!text || text->empty()) {
    return Wrong(node, std::string("key '") + key + "' is not a text, or empty");
  }
  return *text;
}

Status CheckKeys(const toml::table& table, std::initializer_list<std::string_view> known) {
  for (const auto& [key, node] : table) {
    bool found = false;
    for (const auto name : known) found = found || key.str() == name;
    if (!found) return Wrong(&node, "unknown key '" + std::string(key.str()) + "'");
  }
  return Ok();
}

}  // namespace

std::string TomlString(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string FormatFleetToml(const FleetToml& fleet) {
  std::string servers;
  for (const auto& server : fleet.servers)
    servers += (servers.empty() ? "" : ", ") + TomlString(server);
  return "# What `holdfast --dir` reads about this fleet. Written by `holdfast init`.\n"
         "id = " +
         TomlString(fleet.id.hex()) +
         "\n"
         "name = " +
         TomlString(fleet.name) +
         "\n"
         "# Where agents connect.\n"
         "servers = [" +
         servers +
         "]\n"
         "# Where the tools connect.\n"
         "api = " +
         TomlString(fleet.api) +
         "\n"
         "# The one CA that may sign the servers' certificates; relative to this file.\n"
         "ca = " +
         TomlString(fleet.ca) +
         "\n"
         "# Whose key signs: operator/NAME.key and operator/NAME.cert.\n"
         "operator = " +
         TomlString(fleet.operator_name) + "\n";
}

Result<FleetToml> ParseFleetToml(std::string_view text) {
  HF_ASSIGN_OR_RETURN(const toml::table table, ParseTable(text));
  HF_TRY(CheckKeys(table, {"id", "name", "servers", "api", "ca", "operator"}));
  FleetToml fleet;
  HF_ASSIGN_OR_RETURN(const std::string id_text, ReadString(table, "id"));
  const auto id_bytes = FromHex(id_text);
  const auto id = id_bytes.ok() ? FleetId::From(id_bytes.value()) : std::nullopt;
  if (!id) return Wrong(table.get("id"), "'id' is not 32 hex digits");
  fleet.id = *id;
  HF_ASSIGN_OR_RETURN(fleet.name, ReadString(table, "name"));
  if (fleet.name.size() > kMaxNameBytes) {
    return Wrong(table.get("name"), "'name' is longer than 64 bytes");
  }
  HF_ASSIGN_OR_RETURN(fleet.api, ReadString(table, "api"));
  auto api = ServerUrl::Parse(fleet.api);
  if (!api.ok()) return Wrong(table.get("api"), "'api': " + api.error().message);
  HF_ASSIGN_OR_RETURN(fleet.ca, ReadString(table, "ca", &fleet.ca));
  HF_ASSIGN_OR_RETURN(fleet.operator_name, ReadString(table, "operator", &fleet.operator_name));
  if (!IsOperatorName(fleet.operator_name)) {
    return Wrong(table.get("operator"), "'operator' is not an operator's name");
  }
  const toml::array* servers = table.get_as<toml::array>("servers");
  if (servers == nullptr || servers->empty() || servers->size() > kMaxServers) {
    return Wrong(table.get("servers"), "'servers' is not a list of 1 to 8 addresses");
  }
  for (const auto& node : *servers) {
    const auto server = node.value_exact<std::string>();
    if (!server) return Wrong(&node, "'servers' holds something that is not a text");
    auto url = ServerUrl::Parse(*server);
    if (!url.ok()) return Wrong(&node, "'servers': " + url.error().message);
    fleet.servers.push_back(*server);
  }
  return fleet;
}

Result<Profiles> ParseProfiles(std::string_view text) {
  HF_ASSIGN_OR_RETURN(const toml::table table, ParseTable(text));
  HF_TRY(CheckKeys(table, {"default", "profiles"}));
  Profiles profiles;
  const std::string none;
  HF_ASSIGN_OR_RETURN(profiles.default_name, ReadString(table, "default", &none));
  const toml::node* node = table.get("profiles");
  if (node == nullptr) return profiles;
  const toml::table* list = node->as_table();
  if (list == nullptr || list->size() > kMaxProfiles) {
    return Wrong(node, "'profiles' is not a table of at most 256 profiles");
  }
  for (const auto& [name, entry] : *list) {
    const toml::table* profile = entry.as_table();
    if (profile == nullptr) return Wrong(&entry, "a profile is a table: [profiles.NAME]");
    HF_TRY(CheckKeys(*profile, {"dir"}));
    HF_ASSIGN_OR_RETURN(const std::string dir, ReadString(*profile, "dir"));
    profiles.dirs.emplace(std::string(name.str()), dir);
  }
  return profiles;
}

}  // namespace holdfast::sdk
