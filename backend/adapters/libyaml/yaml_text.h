// ReadYaml: the plain part of YAML as trees: maps, lists and scalars. libyaml underneath.
//
// Anchors, aliases and tags are refused as they come: nothing can be unfolded, and no text stands for
// anything but itself. Scalars are text, whatever they look like.
//
// Limits:    YamlLimits; at one of them the text is refused.
// Ownership: a node owns what is below it.
// Threading: pure function.
// Errors:    kInvalid, "line N: what"; whatever the bytes are.
// Design:    docs/decisions/0096-collections.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace holdfast::backend {

struct YamlMember;

struct YamlNode {
  enum class Kind : std::uint8_t { kScalar, kList, kMap };
  Kind kind = Kind::kScalar;
  std::size_t line = 0;             // from 1
  std::string text;                 // of a scalar
  std::vector<YamlNode> items;      // of a list
  std::vector<YamlMember> members;  // of a map, each key once

  const YamlNode* Find(std::string_view key) const;  // nullptr: not there, or no map
};
struct YamlMember {
  std::string key;
  YamlNode value;
};

struct YamlLimits {
  std::size_t max_bytes = std::size_t{4} << 20;  // ten times all public definitions together
  std::size_t max_nodes = 500'000;
  std::size_t max_depth = 12;     // definitions have 5
  std::size_t max_members = 256;  // of one map; each is compared with all before it
};

// One tree for each document.
Result<std::vector<YamlNode>> ReadYaml(std::string_view text, const YamlLimits& limits = {});

}  // namespace holdfast::backend
