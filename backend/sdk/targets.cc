#include "backend/sdk/targets.h"

#include <algorithm>

#include "common/base/untrusted.h"

namespace holdfast::sdk {
namespace {

namespace api = ::holdfast::api::v1;
constexpr std::size_t kMaxHostNameBytes = 253;  // trust.proto, AgentFacts.hostname
constexpr std::size_t kShownMatches = 10;       // of those that fit, before "and N more"
constexpr std::size_t kMaxShownHostBytes = 80;  // of a hostname in a message

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsWholeId(std::string_view text) { return text.size() == 2 * AgentId::kSize && IsHex(text); }

Target ToTarget(const api::Agent& agent) {
  return {AgentId::From(agent.id()).value_or(AgentId()), agent.facts().hostname(), agent.online()};
}

bool HasLabel(const api::Agent& agent, std::string_view label) {
  const std::size_t equals = label.find('=');
  return std::any_of(agent.labels().begin(), agent.labels().end(), [&](const api::Label& l) {
    return l.key() == label.substr(0, equals) && l.value() == label.substr(equals + 1);
  });
}

// `name` in lower case. What a hostname says is its agent's claim: it never stands for a whole id.
bool FitsName(const Target& target, const std::string& name) {
  if (name.size() >= kMinPrefix && IsHex(name) && target.id.hex().starts_with(name)) return true;
  return !IsWholeId(name) && Lower(target.hostname) == name;
}

Error Ambiguous(const std::string& name, const std::vector<Target>& found) {
  std::string list;
  for (std::size_t i = 0; i < found.size() && i < kShownMatches; ++i) {
    list += "\n  " + found[i].id.hex() + "  " +
            ForTerminal(Untrusted(found[i].hostname), kMaxShownHostBytes) +
            (found[i].online ? "" : "  offline");
  }
  if (found.size() > kShownMatches) {
    list += "\n  and " + std::to_string(found.size() - kShownMatches) + " more";
  }
  return {Code::kInvalid, "'" + name + "' fits " + std::to_string(found.size()) +
                              " agents; use an id, or a prefix of one:" + list};
}

}  // namespace

Result<std::vector<TargetTerm>> ParseTargets(std::string_view text) {
  std::vector<TargetTerm> terms;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    if (word.empty()) return Error{Code::kInvalid, "a target is missing (an empty word)"};
    if (word == "all") {
      terms.push_back({TargetTerm::Kind::kAll, ""});
    } else if (word.starts_with("label:")) {
      const std::string label(word.substr(6));
      const std::size_t equals = label.find('=');
      if (equals == std::string::npos || equals == 0) {
        return Error{Code::kInvalid, "'" + std::string(word) + "' is not of the form label:K=V"};
      }
      terms.push_back({TargetTerm::Kind::kLabel, label});
    } else if (word.size() > kMaxHostNameBytes) {
      return Error{Code::kInvalid, "a target longer than any hostname"};
    } else {
      terms.push_back({TargetTerm::Kind::kName, Lower(word)});
    }
    if (comma == std::string_view::npos) return terms;
    text.remove_prefix(comma + 1);
  }
}

bool MayBeSeveral(const std::vector<TargetTerm>& terms) {
  return terms.size() > 1 || (terms.size() == 1 && terms[0].kind != TargetTerm::Kind::kName);
}

api::ListAgents FilterFor(const TargetTerm& term) {
  api::ListAgents request;
  if (term.kind == TargetTerm::Kind::kLabel) request.add_labels(term.text);
  if (term.kind == TargetTerm::Kind::kName) request.set_name(term.text);
  return request;
}

Result<std::vector<Target>> SelectTargets(const TargetTerm& term,
                                          const std::vector<api::Agent>& candidates) {
  std::vector<Target> found;
  for (const auto& agent : candidates) {
    const Target target = ToTarget(agent);
    switch (term.kind) {
      case TargetTerm::Kind::kAll: found.push_back(target); break;
      case TargetTerm::Kind::kLabel:
        if (HasLabel(agent, term.text)) found.push_back(target);
        break;
      case TargetTerm::Kind::kName:
        if (FitsName(target, term.text)) found.push_back(target);
        break;
    }
  }
  if (term.kind == TargetTerm::Kind::kName && found.size() > 1) return Ambiguous(term.text, found);
  if (!found.empty()) return found;
  const std::string what = term.kind == TargetTerm::Kind::kAll ? "the fleet has no agents yet"
                           : term.kind == TargetTerm::Kind::kLabel
                               ? "no agent has the label '" + term.text + "'"
                               : "no agent is called '" + term.text + "'";
  if (term.kind == TargetTerm::Kind::kName && term.text.size() < kMinPrefix && IsHex(term.text)) {
    return Error{Code::kNotFound, what + "; a prefix of an id needs at least " +
                                      std::to_string(kMinPrefix) +
                                      " characters; list them: holdfast agents"};
  }
  return Error{Code::kNotFound, what + "; list them: holdfast agents"};
}

}  // namespace holdfast::sdk
