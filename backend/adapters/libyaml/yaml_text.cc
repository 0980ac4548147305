#include "backend/adapters/libyaml/yaml_text.h"

#include <memory>
#include <optional>

#include <yaml.h>

namespace holdfast::backend {
namespace {

struct EndParser {
  void operator()(yaml_parser_t* parser) const {
    yaml_parser_delete(parser);
    delete parser;
  }
};
using Parser = std::unique_ptr<yaml_parser_t, EndParser>;

class Event {
 public:
  Event() = default;
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  yaml_event_t* get() { return &event_; }
  const yaml_event_t* operator->() const { return &event_; }

 private:
  yaml_event_t event_ = {};
};

Error At(std::size_t line, const std::string& what) {
  return {Code::kInvalid, "line " + std::to_string(line) + ": " + what};
}

// The trees, grown event by event. Open nodes are a stack of values, put into their parents when they
// close: no recursion, whatever the depth.
class Builder {
 public:
  Builder(const YamlLimits& limits, std::vector<YamlNode>& documents)
      : limits_(limits), documents_(documents) {}

  Status Open(YamlNode::Kind kind, std::size_t line) {
    if (open_.size() >= limits_.max_depth) return At(line, "nested too deeply");
    if (WantsKey()) return At(line, "a key is a text");
    HF_TRY(Count(line));
    open_.push_back({.node = {.kind = kind, .line = line, .text = {}, .items = {}, .members = {}},
                     .key = std::nullopt});
    return Ok();
  }

  Status Scalar(std::string text, std::size_t line) {
    HF_TRY(Count(line));
    if (WantsKey()) {
      if (open_.back().node.members.size() >= limits_.max_members) return At(line, "too many keys");
      if (open_.back().node.Find(text) != nullptr) return At(line, "'" + text + "' is there twice");
      open_.back().key = std::move(text);
      return Ok();
    }
    return Add({.kind = YamlNode::Kind::kScalar,
                .line = line,
                .text = std::move(text),
                .items = {},
                .members = {}});
  }

  Status Close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    return Add(std::move(node));
  }

 private:
  struct Unfinished {
    YamlNode node;
    std::optional<std::string> key;  // of a map: of the value to come
  };

  bool WantsKey() const {
    return !open_.empty() && open_.back().node.kind == YamlNode::Kind::kMap && !open_.back().key;
  }
  Status Count(std::size_t line) {
    if (++nodes_ > limits_.max_nodes) return At(line, "too many values");
    return Ok();
  }
  Status Add(YamlNode node) {
    if (open_.empty()) {
      documents_.push_back(std::move(node));
    } else if (open_.back().node.kind == YamlNode::Kind::kList) {
      open_.back().node.items.push_back(std::move(node));
    } else {
      open_.back().node.members.push_back({std::move(*open_.back().key), std::move(node)});
      open_.back().key.reset();
    }
    return Ok();
  }

  const YamlLimits& limits_;
  std::vector<YamlNode>& documents_;
  std::vector<Unfinished> open_;
  std::size_t nodes_ = 0;
};

// YAML has more than definitions use: what would make one text stand for another.
const char* Refusal(const yaml_event_t& event) {
  const yaml_char_t* anchor = nullptr;
  const yaml_char_t* tag = nullptr;
  switch (event.type) {
    case YAML_ALIAS_EVENT: return "an alias";
    case YAML_SCALAR_EVENT:
      anchor = event.data.scalar.anchor;
      tag = event.data.scalar.tag;
      break;
    case YAML_SEQUENCE_START_EVENT:
      anchor = event.data.sequence_start.anchor;
      tag = event.data.sequence_start.tag;
      break;
    case YAML_MAPPING_START_EVENT:
      anchor = event.data.mapping_start.anchor;
      tag = event.data.mapping_start.tag;
      break;
    default: break;
  }
  if (anchor != nullptr) return "an anchor";
  return tag != nullptr ? "a tag" : nullptr;
}

Status Take(const yaml_event_t& event, Builder& builder) {
  const std::size_t line = event.start_mark.line + 1;
  if (const char* refusal = Refusal(event); refusal != nullptr) {
    return At(line, std::string(refusal) + " is not taken here");
  }
  switch (event.type) {
    case YAML_SEQUENCE_START_EVENT: return builder.Open(YamlNode::Kind::kList, line);
    case YAML_MAPPING_START_EVENT: return builder.Open(YamlNode::Kind::kMap, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return builder.Close();
    case YAML_SCALAR_EVENT:
      return builder.Scalar(
          {reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length}, line);
    default: return Ok();
  }
}

}  // namespace

const YamlNode* YamlNode::Find(std::string_view key) const {
  for (const auto& [name, node] : members) {
    if (name == key) return &node;
  }
  return nullptr;
}

Result<std::vector<YamlNode>> ReadYaml(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error{Code::kInvalid,
                 "more than " + std::to_string(limits.max_bytes) + " bytes of definitions"};
  }
  auto memory = std::make_unique<yaml_parser_t>();
  if (yaml_parser_initialize(memory.get()) == 0) {
    return Error{Code::kInternal, "libyaml cannot begin"};
  }
  const Parser parser(memory.release());
  yaml_parser_set_encoding(parser.get(), YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(parser.get(), reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  std::vector<YamlNode> documents;
  Builder builder(limits, documents);
  for (;;) {
    Event event;
    if (yaml_parser_parse(parser.get(), event.get()) == 0) {
      const char* problem = parser->problem;
      return At(parser->problem_mark.line + 1, problem == nullptr ? "no YAML" : problem);
    }
    if (event->type == YAML_STREAM_END_EVENT) return documents;
    HF_TRY(Take(*event.get(), builder));
  }
}

}  // namespace holdfast::backend
