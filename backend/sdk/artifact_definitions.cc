#include "backend/sdk/artifact_definitions.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "backend/adapters/libyaml/yaml_text.h"
#include "backend/sdk/built_in_artifacts.h"
#include "backend/sdk/files.h"
#include "common/base/edit_distance.h"
#include "common/base/untrusted.h"

namespace holdfast::sdk {
namespace {

using backend::YamlNode;
using Kind = YamlNode::Kind;
using Type = ArtifactSource::Type;

constexpr std::size_t kMaxArtifactNameBytes = 128;  // command.proto, CollectSource.name
constexpr std::size_t kMaxFiles = 1000;             // of one directory
constexpr std::size_t kMaxDefinitionBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxComplaints = 1000;
constexpr std::string_view kLinux = "Linux";

struct TypeName {
  std::string_view name;
  Type type;
  std::string_view words;  // the attribute that holds its words
};
constexpr std::array<TypeName, 9> kTypes = {{{"FILE", Type::kFile, "paths"},
                                             {"PATH", Type::kPath, "paths"},
                                             {"DIRECTORY", Type::kPath, "paths"},  // its old name
                                             {"ARTIFACT_GROUP", Type::kGroup, "names"},
                                             {"COMMAND", Type::kCommand, "args"},
                                             {"HOLDFAST_QUERY", Type::kQuery, ""},
                                             {"REGISTRY_KEY", Type::kForeign, ""},
                                             {"REGISTRY_VALUE", Type::kForeign, ""},
                                             {"WMI", Type::kForeign, ""}}};
// Deprecated ones are accepted and mean nothing.
constexpr std::string_view kKeys[] = {"name", "doc",        "sources", "supported_os", "aliases",
                                      "urls", "conditions", "labels",  "provides"};

Error WrongAt(const YamlNode& node, const std::string& what) {
  return {Code::kInvalid, std::to_string(node.line) + ": " + what};
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxArtifactNameBytes &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7F; });
}

Result<std::vector<std::string>> Texts(const YamlNode& node, const std::string& what) {
  if (node.kind != Kind::kList) return WrongAt(node, what + " is a list");
  std::vector<std::string> texts;
  for (const YamlNode& item : node.items) {
    if (item.kind != Kind::kScalar) return WrongAt(item, what + " is a list of texts");
    texts.push_back(item.text);
  }
  return texts;
}

// Without supported_os a thing is for every system.
Result<bool> IsForLinux(const YamlNode& node) {
  const YamlNode* systems = node.Find("supported_os");
  if (systems == nullptr) return true;
  HF_ASSIGN_OR_RETURN(const auto names, Texts(*systems, "supported_os"));
  return std::ranges::find(names, kLinux) != names.end();
}

// Paths with another separator are written with it throughout.
void PutSlashes(std::string_view separator, std::vector<std::string>& paths) {
  if (separator.size() != 1 || separator == "/") return;
  for (std::string& path : paths) std::ranges::replace(path, separator.front(), '/');
}

Status ReadCommand(const YamlNode& attributes, ArtifactSource& source) {
  const YamlNode* program = attributes.Find("cmd");
  if (program == nullptr || !program->text.starts_with('/')) {
    return WrongAt(attributes, "a COMMAND has cmd, an absolute path, and args");
  }
  source.words.insert(source.words.begin(), program->text);
  return Ok();
}

Result<ArtifactSource> ReadSource(const YamlNode& node) {
  const YamlNode* type = node.Find("type");
  if (node.kind != Kind::kMap || type == nullptr) return WrongAt(node, "a source has a type");
  ArtifactSource source;
  source.type_name = type->text;
  HF_ASSIGN_OR_RETURN(source.for_linux, IsForLinux(node));
  const auto* const known = std::ranges::find(kTypes, type->text, &TypeName::name);
  // A type that the format gets later is as foreign as those of other systems.
  if (known == kTypes.end() || known->type == Type::kForeign) return source;
  source.type = known->type;
  const YamlNode* attributes = node.Find("attributes");
  if (attributes == nullptr || attributes->kind != Kind::kMap) {
    return WrongAt(node, "a source of type " + source.type_name + " has attributes");
  }
  if (source.type == Type::kQuery) {
    const YamlNode* sql = attributes->Find("sql");
    if (sql == nullptr || sql->text.empty()) return WrongAt(node, "a HOLDFAST_QUERY has sql");
    source.sql = sql->text;
    return source;
  }
  const YamlNode* words = attributes->Find(known->words);
  if (words == nullptr) return WrongAt(node, "there are no " + std::string(known->words));
  HF_ASSIGN_OR_RETURN(source.words, Texts(*words, std::string(known->words)));
  if (source.type == Type::kCommand) {
    HF_TRY(ReadCommand(*attributes, source));
  } else if (source.words.empty()) {
    return WrongAt(*words, "there are no " + std::string(known->words));
  }
  if (const YamlNode* separator = attributes->Find("separator"); separator != nullptr) {
    PutSlashes(separator->text, source.words);
  }
  return source;
}

Result<ArtifactDefinition> ReadDefinition(const YamlNode& node) {
  if (node.kind != Kind::kMap) return WrongAt(node, "a definition is a map");
  for (const auto& [key, value] : node.members) {
    if (std::ranges::find(kKeys, key) == std::end(kKeys)) {
      return WrongAt(value, "a definition has no '" + key + "'");
    }
  }
  const YamlNode* name = node.Find("name");
  const YamlNode* doc = node.Find("doc");
  const YamlNode* sources = node.Find("sources");
  if (name == nullptr || !IsName(name->text)) return WrongAt(node, "a definition has a name");
  const std::string who = name->text + ": ";
  if (doc == nullptr || doc->text.empty()) return WrongAt(node, who + "there is no doc");
  if (sources == nullptr || sources->items.empty()) {
    return WrongAt(node, who + "there are no sources");
  }
  ArtifactDefinition definition;
  definition.name = name->text;
  definition.doc = doc->text;
  HF_ASSIGN_OR_RETURN(definition.for_linux, IsForLinux(node));
  if (const YamlNode* aliases = node.Find("aliases"); aliases != nullptr) {
    HF_ASSIGN_OR_RETURN(definition.aliases, Texts(*aliases, who + "aliases"));
    if (!std::ranges::all_of(definition.aliases, IsName)) {
      return WrongAt(*aliases, who + "an alias is a name");
    }
  }
  for (const YamlNode& item : sources->items) {
    auto source = ReadSource(item);
    if (!source.ok()) return source.error();
    definition.sources.push_back(std::move(source).value());
  }
  return definition;
}

}  // namespace

Status ArtifactSet::Add(std::string_view text, const std::string& origin) {
  const auto complain = [&](const std::string& what) {
    if (complaints_.size() < kMaxComplaints) {
      complaints_.push_back(ForTerminal(Untrusted(origin + ":" + what)));
    }
  };
  auto documents = backend::ReadYaml(text);
  if (!documents.ok()) return std::move(documents).error().In(ForTerminal(Untrusted(origin)));
  std::vector<const YamlNode*> nodes;
  for (const YamlNode& document : documents.value()) {
    if (document.kind == Kind::kScalar && document.text.empty()) continue;  // "---" and no more
    if (document.kind != Kind::kList) nodes.push_back(&document);
    for (const YamlNode& item : document.items) nodes.push_back(&item);  // the JSON form
  }
  std::set<std::string, std::less<>> own;
  for (const YamlNode* node : nodes) {
    auto read = ReadDefinition(*node);
    if (!read.ok()) {
      complain(read.error().message);
      continue;
    }
    ArtifactDefinition& definition = read.value();
    if (!own.insert(definition.name).second) {
      complain(std::to_string(node->line) + ": " + definition.name + " is there twice");
      continue;
    }
    if (definitions_.size() >= kMaxDefinitions) {
      complain(std::to_string(node->line) + ": more than 20000 definitions");
      break;
    }
    definition.origin = origin + ":" + std::to_string(node->line);
    for (const std::string& alias : definition.aliases) aliases_[alias] = definition.name;
    definitions_.insert_or_assign(definition.name, std::move(definition));
  }
  return Ok();
}

const ArtifactDefinition* ArtifactSet::Find(std::string_view name) const {
  auto found = definitions_.find(name);
  if (found == definitions_.end()) {
    const auto alias = aliases_.find(name);
    if (alias != aliases_.end()) found = definitions_.find(alias->second);
  }
  return found == definitions_.end() ? nullptr : &found->second;
}

std::vector<const ArtifactDefinition*> ArtifactSet::All() const {
  std::vector<const ArtifactDefinition*> all;
  for (const auto& [name, definition] : definitions_) all.push_back(&definition);
  return all;
}

std::string ArtifactSet::Nearest(std::string_view name) const {
  if (name.size() > kMaxArtifactNameBytes) return "";
  NearestWord nearest(name);
  for (const auto& [candidate, definition] : definitions_) nearest.Look(candidate);
  for (const auto& [candidate, of] : aliases_) nearest.Look(candidate);
  return nearest.found();
}

Status AddDirectory(const std::string& directory, ArtifactSet& set) {
  if (!Exists(directory)) return Error{Code::kNotFound, directory + " is not there"};
  HF_ASSIGN_OR_RETURN(const auto files, ListFiles(directory, kMaxFiles));
  bool has_any = false;
  for (const std::string& file : files) {
    if (!file.ends_with(".yaml") && !file.ends_with(".yml")) continue;
    has_any = true;
    const std::string path = directory + "/" + file;
    HF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxDefinitionBytes));
    HF_TRY(set.Add(text, path));
  }
  if (has_any) return Ok();
  return Error{Code::kNotFound, "there are no definitions (*.yaml) in " + directory};
}

void AddBuiltIn(ArtifactSet& set) {
  for (const BuiltInArtifacts& file : kBuiltInArtifacts) {
    HF_CHECK(set.Add(file.text, "built in, " + std::string(file.name)).ok());
  }
  HF_CHECK(set.complaints().empty());
}

}  // namespace holdfast::sdk
