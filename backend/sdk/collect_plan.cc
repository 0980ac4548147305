#include "backend/sdk/collect_plan.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/path_pattern.h"
#include "common/base/untrusted.h"

namespace holdfast::sdk {
namespace {

namespace pb = ::holdfast::command::v1;
using Type = ArtifactSource::Type;

constexpr int kMaxPlanSources = 1024;  // command.proto
constexpr int kMaxPatterns = 512;      // command.proto, CollectSource
constexpr std::size_t kMaxQueryBytes = std::size_t{32} * 1024;
constexpr std::string_view kOwnPaths = "paths";  // the source of --path

// What the endpoint's own tables answer without running anything of the endpoint's.
struct Answered {
  std::string_view program;
  std::string_view sql;
};
constexpr std::array<Answered, 3> kAnswered = {{{"/lsmod", "SELECT * FROM kernel_modules"},
                                                {"/ps", "SELECT * FROM processes"},
                                                {"/iptables", "SELECT * FROM iptables"}}};

// Where a path has a user's name or number, it is taken for every one that is there.
struct Marker {
  std::string_view text;
  std::string_view pattern;
};
constexpr std::array<Marker, 2> kAnyUser = {
    {{"%%users.username%%", "*"}, {"%%users.uid%%", "[0-9]*"}}};

std::string WithAnyUser(std::string path) {
  for (const Marker& marker : kAnyUser) {
    for (std::size_t at = path.find(marker.text); at != std::string::npos;
         at = path.find(marker.text, at)) {
      path.replace(at, marker.text.size(), marker.pattern);
    }
  }
  return path;
}

class Planner {
 public:
  Planner(const ArtifactSet& set, const CollectRequest& request, CollectPlan& plan)
      : set_(set), request_(request), plan_(plan) {}

  Status Named(const std::string& name) {
    const ArtifactDefinition* definition = set_.Find(name);
    if (definition == nullptr) {
      const std::string near = set_.Nearest(name);
      return Error{Code::kNotFound, "there is no artifact '" + name + "'" +
                                        (near.empty() ? "" : "; did you mean " + near + "?") +
                                        " The names: holdfast collect --list"};
    }
    return Add(*definition, 0);
  }

 private:
  void Note(const ArtifactDefinition& of, const std::string& what) {
    plan_.notes.push_back(ForTerminal(Untrusted(of.name + ": " + what)));
  }

  Status Add(const ArtifactDefinition& definition, std::size_t depth) {
    if (std::ranges::find(open_, definition.name) != open_.end()) return Cycle(definition);
    if (!done_.insert(definition.name).second) return Ok();  // in two groups
    if (!definition.for_linux) {
      Note(definition, "left out: not for Linux");
      return Ok();
    }
    if (depth > kMaxGroupDepth) {
      Note(definition, "left out: groups in groups, more than 32 deep");
      return Ok();
    }
    open_.push_back(definition.name);
    for (const ArtifactSource& source : definition.sources) {
      if (!source.for_linux) continue;
      HF_TRY(AddSource(definition, source, depth));
    }
    open_.pop_back();
    return Ok();
  }

  // Whoever wrote that meant something else; what, nobody can tell.
  Error Cycle(const ArtifactDefinition& definition) const {
    std::string way;
    for (const std::string& name : open_) {
      if (way.empty() && name != definition.name) continue;
      way += name + " > ";
    }
    return {Code::kInvalid,
            ForTerminal(Untrusted("a group contains itself: " + way + definition.name))};
  }

  Status AddSource(const ArtifactDefinition& definition, const ArtifactSource& source,
                   std::size_t depth) {
    switch (source.type) {
      case Type::kGroup: return AddGroup(definition, source, depth);
      case Type::kFile:
      case Type::kPath: return AddPaths(definition, source);
      case Type::kCommand: return AddCommand(definition, source);
      case Type::kQuery: return AddQuery(definition, source.sql);
      case Type::kForeign:
        Note(definition, "left out: a source of type " + source.type_name);
        return Ok();
    }
    return Ok();
  }

  Status AddGroup(const ArtifactDefinition& definition, const ArtifactSource& source,
                  std::size_t depth) {
    for (const std::string& name : source.words) {
      const ArtifactDefinition* member = set_.Find(name);
      if (member == nullptr) {
        Note(definition, "left out: " + name + ", which is not defined");
        continue;
      }
      HF_TRY(Add(*member, depth + 1));
    }
    return Ok();
  }

  Result<pb::CollectSource*> New(const ArtifactDefinition& definition) {
    if (plan_.args.sources_size() >= kMaxPlanSources) {
      return Error{Code::kInvalid, "more than 1024 sources; collect less at a time"};
    }
    pb::CollectSource* source = plan_.args.add_sources();
    source->set_name(definition.name);
    return source;
  }

  Status AddPaths(const ArtifactDefinition& definition, const ArtifactSource& from) {
    pb::CollectSource* source = nullptr;
    for (const std::string& word : from.words) {
      const std::string path = WithAnyUser(word);
      if (const std::string wrong = PathPatternComplaint(path); !wrong.empty()) {
        Note(definition, "left out: " + path + ": " + wrong);
        continue;
      }
      const bool is_facts = from.type == Type::kPath;
      if (!paths_.insert({is_facts, path}).second) continue;  // another definition has it
      if (source == nullptr || source->paths_size() == kMaxPatterns) {
        HF_ASSIGN_OR_RETURN(source, New(definition));
        source->set_facts_only(is_facts);
      }
      source->add_paths(path);
    }
    return Ok();
  }

  Status AddQuery(const ArtifactDefinition& definition, const std::string& sql) {
    if (sql.size() > kMaxQueryBytes) {
      Note(definition, "left out: a query longer than 32 KiB");
      return Ok();
    }
    HF_ASSIGN_OR_RETURN(pb::CollectSource * source, New(definition));
    source->set_sql(sql);
    return Ok();
  }

  Status AddCommand(const ArtifactDefinition& definition, const ArtifactSource& from) {
    const std::string& program = from.words.front();
    for (const Answered& answered : kAnswered) {
      if (!program.ends_with(answered.program)) continue;
      return AddQuery(definition, std::string(answered.sql));
    }
    if (request_.programs == CollectRequest::Programs::kLeaveOut) {
      Note(definition, "left out: it runs " + program + "; --commands allows that");
      return Ok();
    }
    HF_ASSIGN_OR_RETURN(pb::CollectSource * source, New(definition));
    for (const std::string& word : from.words) source->add_argv(word);
    return Ok();
  }

  const ArtifactSet& set_;
  const CollectRequest& request_;
  CollectPlan& plan_;
  std::set<std::string> done_;
  std::vector<std::string> open_;  // groups, each in the one before
  std::set<std::pair<bool, std::string>> paths_;
};

}  // namespace

Result<CollectPlan> PlanCollection(const ArtifactSet& set, const CollectRequest& request) {
  CollectPlan plan;
  Planner planner(set, request, plan);
  for (const std::string& name : request.names) HF_TRY(planner.Named(name));
  pb::CollectSource* own = nullptr;
  for (const std::string& path : request.paths) {
    if (const std::string wrong = PathPatternComplaint(path); !wrong.empty()) {
      return Error{Code::kInvalid, "'" + path + "': " + wrong};
    }
    if (own == nullptr || own->paths_size() == kMaxPatterns) {
      own = plan.args.add_sources();
      own->set_name(std::string(kOwnPaths));
    }
    own->add_paths(path);
  }
  if (plan.args.sources().empty()) {
    std::string why = "there is nothing to collect";
    for (const std::string& note : plan.notes) why += "\n  " + note;
    return Error{Code::kInvalid, why};
  }
  return plan;
}

}  // namespace holdfast::sdk
