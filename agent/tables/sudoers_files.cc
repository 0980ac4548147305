#include "agent/tables/sudoers_files.h"

#include <algorithm>

#include "agent/tables/places.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

class Reader {
 public:
  explicit Reader(Machine& machine) : machine_(machine) {}

  // Depth first, so that the rules stand in the order in which sudo reads them.
  void Read(const std::string& path) {
    const bool known = std::find(seen_.begin(), seen_.end(), path) != seen_.end();
    if (known || seen_.size() == kMaxSudoersFiles) return;
    seen_.push_back(path);
    const std::string text = ReadText(machine_, path);
    std::string_view rest = text;
    std::string_view line;
    std::string joined;
    while (NextLine(rest, line)) {
      joined.append(line);
      if (!joined.empty() && joined.back() == '\\' && !rest.empty()) {
        joined.pop_back();
        continue;
      }
      Take(path, Trim(joined));
      joined.clear();
    }
  }

  std::vector<SudoersRule> rules;

 private:
  void Take(const std::string& source, std::string_view line) {
    std::string_view details = line;
    const std::string_view first = NextWord(details);
    const std::string_view word = first.empty() ? first : first.substr(1);
    const bool sign = first.starts_with('#') || first.starts_with('@');
    details = Trim(details);
    if (sign && !details.empty() && (word == "include" || word == "includedir")) {
      rules.push_back({source, std::string(word), std::string(details)});
      Include(source, word == "includedir", details);
    } else if (!first.empty() && first.front() != '#') {
      rules.push_back({source, std::string(first), std::string(details)});
    }
  }

  void Include(const std::string& source, bool directory, std::string_view named) {
    if (named.size() > 1 && named.front() == '"' && named.back() == '"') {
      named = named.substr(1, named.size() - 2);
    }
    std::string path(named);
    if (!named.starts_with('/')) path = JoinPath(source.substr(0, source.rfind('/')), named);
    if (!directory) return Read(path);
    for (const std::string& name : SortedNames(machine_, path)) {
      // sudoers(5): names with a '.' or with a '~' at the end are not read.
      if (name.find('.') == std::string::npos && name.back() != '~') Read(JoinPath(path, name));
    }
  }

  Machine& machine_;
  std::vector<std::string> seen_;
};

}  // namespace

std::vector<SudoersRule> SudoersRules(Machine& machine) {
  Reader reader(machine);
  reader.Read("/etc/sudoers");
  return std::move(reader.rules);
}

}  // namespace holdfast::agent
