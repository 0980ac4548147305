// ArtifactSet: what to collect, as definitions in the format of ForensicArtifacts say it.
//
// The format: https://github.com/ForensicArtifacts/artifacts, "Format specification". Types FILE, PATH
// (DIRECTORY), COMMAND and ARTIFACT_GROUP; those of other systems are read over. One type is our own:
// HOLDFAST_QUERY with `sql`, a question to the endpoint's tables.
//
//   Add(text, origin)*  -->  Find(name)  All()        (PlanCollection of collect_plan.h)
//
// Ordering:  a definition that is added later replaces one of an earlier text with its name; within one
//            text a name is there once.
// Limits:    those of ReadYaml(); kMaxDefinitions; a name or alias has 1 to 128 bytes of printable ASCII without blanks.
// Ownership: owns the definitions; pointers are good until the next Add().
// Threading: thread-compatible.
// Errors:    Add(): kInvalid when the text is no YAML. A definition that is wrong is left out, and
//            complaints() says where and why; nothing in a text ends the program.
// Design:    docs/decisions/0096-collections.md
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::sdk {

struct ArtifactSource {
  enum class Type : std::uint8_t { kFile, kPath, kCommand, kQuery, kGroup, kForeign };
  Type type = Type::kForeign;
  std::string type_name;           // as written
  std::vector<std::string> words;  // paths; names of a group; argv of a command
  std::string sql;
  bool for_linux = true;
};

struct ArtifactDefinition {
  std::string name;
  std::string doc;  // the first line says what it is
  std::vector<std::string> aliases;
  std::vector<ArtifactSource> sources;
  bool for_linux = true;
  std::string origin;  // file and line, or "built in"

  std::string summary() const { return doc.substr(0, doc.find('\n')); }
};

class ArtifactSet {
 public:
  static constexpr std::size_t kMaxDefinitions = 20'000;

  Status Add(std::string_view text, const std::string& origin);
  // By name, else by alias; nullptr: there is none.
  const ArtifactDefinition* Find(std::string_view name) const;
  // By name.
  std::vector<const ArtifactDefinition*> All() const;
  // The name or alias that is most like it; empty: none is.
  std::string Nearest(std::string_view name) const;
  // "ORIGIN:LINE: what", made safe for a terminal.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  std::map<std::string, ArtifactDefinition, std::less<>> definitions_;
  std::map<std::string, std::string, std::less<>> aliases_;  // to names
  std::vector<std::string> complaints_;
};

// The files *.yaml in a directory, by name. Errors: kNotFound: no such directory, or no such file in it.
Status AddDirectory(const std::string& directory, ArtifactSet& set);
// Our own: backend/artifacts/*.yaml, which the program carries.
void AddBuiltIn(ArtifactSet& set);

}  // namespace holdfast::sdk
