#include "backend/adapters/toml/toml_config.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace holdfast::backend {
namespace {

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1024} * 1024;

std::string Where(std::string_view file, const toml::source_region& source) {
  return std::string(file) + ":" + std::to_string(source.begin.line);
}

// A list must hold texts only; anything else is refused by the key's own rule, as a bool would be.
ConfigValue ToValue(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  std::vector<std::string> texts;
  if (const auto* list = node.as_array()) {
    for (const toml::node& item : *list) {
      const auto* text = item.as_string();
      if (text == nullptr) return false;
      texts.push_back(text->get());
    }
  }
  return texts;
}

Result<std::vector<ConfigEntry>> Flatten(const toml::table& root, std::string_view file) {
  std::vector<ConfigEntry> entries;
  for (const auto& [section, node] : root) {
    const toml::table* const table = node.as_table();
    if (table == nullptr) {
      return Error{Code::kInvalid, Where(file, node.source()) + ": " + std::string(section.str()) +
                                       ": every key stands in a section, such as [agents]"};
    }
    for (const auto& [name, value] : *table) {
      const std::string key = std::string(section.str()) + "." + std::string(name.str());
      if (value.is_table()) {
        return Error{Code::kInvalid, Where(file, value.source()) + ": " + key +
                                         ": there are no sections inside sections"};
      }
      entries.push_back(
          {key, ToValue(value), static_cast<std::uint32_t>(value.source().begin.line)});
    }
  }
  return entries;
}

}  // namespace

Result<Config> ParseConfig(std::string_view text, std::string_view file) {
  const toml::parse_result parsed = toml::parse(text, file);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Error{Code::kInvalid,
                 Where(file, error.source()) + ": " + std::string(error.description())};
  }
  HF_ASSIGN_OR_RETURN(const std::vector<ConfigEntry> entries, Flatten(parsed.table(), file));
  HF_ASSIGN_OR_RETURN(Config config, MakeConfig(entries, file));
  config.text = text;
  return config;
}

Result<Config> LoadConfig(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path file = std::filesystem::absolute(path, failed).lexically_normal();
  const std::uintmax_t size = std::filesystem::file_size(file, failed);
  if (failed) {
    return Error{Code::kNotFound,
                 file.string() + ": " + failed.message() +
                     " (holdfast init --dir D makes a fleet with its configuration)"};
  }
  if (size > kMaxFileBytes) return Error{Code::kInvalid, file.string() + ": larger than 1 MiB"};
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) {
    return Error{Code::kInvalid, file.string() + ": cannot be read, or is empty"};
  }
  return ParseConfig(text.str(), file.string());
}

}  // namespace holdfast::backend
