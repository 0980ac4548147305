// yara_file and yara_process: YARA rules over what the analyst points at, one row for each thing, matched or not.
#include <array>
#include <charconv>
#include <utility>

#include "agent/tables/path_walk.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kText = ColumnType::kText;
constexpr ColumnType kInteger = ColumnType::kInteger;

// Both tables' columns behind the first, which says what is looked through.
constexpr std::array<Column, 10> Behind(Column first) {
  return {{
      first,
      {"matches", kText, "Names of the rules that match, with commas between"},
      {"count", kInteger, "How many rules match"},
      {"sig_group", kText, "Refused: groups of rules are osquery's configuration", kAdditional},
      {"sigfile", kText, "Absolute path of the rules, a file on the endpoint", kAdditional},
      {"sigrule", kText, "The rules themselves", kAdditional | kHidden},
      {"strings", kText, "Strings that match, as name:offset in hex, with commas between"},
      {"tags", kText, "Tags of the rules that match, with commas between"},
      {"sigurl", kText, "Refused: an endpoint fetches no rules", kAdditional | kHidden},
      {"pid_with_namespace", kInteger, "Always 0: other namespaces cannot be asked",
       kAdditional | kHidden | kLinux},
  }};
}
constexpr auto kFileColumns = Behind({"path", kText, "The file", kRequired | kIndex});
constexpr auto kProcessColumns =
    Behind({"pid", kInteger, "The process whose memory is looked through", kRequired | kIndex});

enum YaraAt : std::size_t {
  kThing,
  kMatches,
  kCount,
  kSigGroup,
  kSigFile,
  kSigRule,
  kStrings,
  kTags,
  kSigUrl,
  kNamespace
};

struct Rules {
  std::string text;
  std::string file;  // that they came from; empty: they were in the SQL
};

Result<Rules> RulesOf(const Request& request, std::string_view table, Machine& machine) {
  if (request.Equal(kSigGroup) != nullptr)
    return Error{Code::kInvalid,
                 "sig_group: there are no groups of rules here; give sigfile or sigrule"};
  if (request.Equal(kSigUrl) != nullptr)
    return Error{Code::kInvalid, "sigurl: an endpoint fetches no rules; give them as sigrule"};
  const auto file = request.EqualText(kSigFile);
  const auto rule = request.EqualText(kSigRule);
  if (file.has_value() == rule.has_value()) {
    return Error{
        Code::kInvalid,
        "table " + std::string(table) +
            " needs rules, either sigrule = 'rule x { ... }' or sigfile = '/path/on/the/endpoint'"};
  }
  Rules rules;
  if (rule) {
    rules.text = *rule;
  } else {
    rules.file = *file;
    if (!file->starts_with('/')) return Error{Code::kInvalid, "sigfile: not an absolute path"};
    auto text = machine.ReadRules(*file);
    if (!text.ok()) return std::move(text).error().In("sigfile");
    if (text.value().size() == kMaxRuleBytes)
      return Error{Code::kInvalid, "sigfile: more than 16 MiB of rules"};
    rules.text = std::move(text).value();
  }
  if (rules.text.empty()) return Error{Code::kInvalid, "rules: there are none"};
  if (rules.text.find('\0') != std::string::npos)
    return Error{Code::kInvalid, "rules: a NUL byte is no text"};
  HF_TRY(machine.CheckScanner(rules.text));
  return rules;
}

void AppendItem(std::string& list, std::string_view item) {
  if (!list.empty()) list.push_back(',');
  list.append(item);
}

// As osquery has them.
void FillMatches(const std::vector<RuleMatch>& found, Row& row) {
  std::string rules;
  std::string strings;
  std::string tags;
  std::int64_t count = 0;
  const RuleMatch* before = nullptr;
  for (const RuleMatch& match : found) {
    // A rule has a row for each match of its strings; two rules of one name cannot be in one set.
    if (before == nullptr || before->rule != match.rule) {
      ++count;
      AppendItem(rules, match.rule);
      std::string_view rest = match.tags;
      for (std::string_view tag = NextWord(rest); !tag.empty(); tag = NextWord(rest))
        AppendItem(tags, tag);
    }
    before = &match;
    if (match.string.empty()) continue;
    AppendItem(strings, match.string);
    char hex[17] = {};
    char* const end =
        std::to_chars(hex, hex + 16, static_cast<std::uint64_t>(match.offset), 16).ptr;
    strings.append(":").append(hex, end);
  }
  row[kMatches] = std::move(rules);
  row[kCount] = count;
  row[kStrings] = std::move(strings);
  row[kTags] = std::move(tags);
}

void TellOfMore(const std::vector<RuleMatch>& found, Machine& machine) {
  if (found.size() < kMaxScanMatches) return;
  machine.Note("of one file or process no more than " + std::to_string(kMaxScanMatches) +
               " matches are told");
}

void FillRules(const Rules& rules, Row& row) {
  row[kSigGroup] = Text("");
  row[kSigFile] = rules.file;
  row[kSigRule] = rules.file.empty() ? rules.text : std::string();
  row[kSigUrl] = Text("");
  row[kNamespace] = Integer(0);
}

class YaraFileRows : public RowSource {
 public:
  YaraFileRows(PathWalk walk, Rules rules, Machine& machine)
      : walk_(std::move(walk)), rules_(std::move(rules)), machine_(machine) {
    walk_.LeaveOutKernel();
  }

  bool Next(Row& row) override {
    FoundPath found;
    while (walk_.Next(found)) {
      const auto stat = machine_.Stat(found.path, Links::kFollow);
      if (!stat.ok() || (stat.value().mode & kTypeMask) != kTypeRegular) continue;
      const auto matches = machine_.Scan({.rules = rules_.text, .path = found.path});
      if (!matches.ok()) continue;  // it is counted, and the first one named
      FillMatches(matches.value(), row);
      TellOfMore(matches.value(), machine_);
      FillRules(rules_, row);
      row[kThing] = std::move(found.path);
      return true;
    }
    return false;
  }

 private:
  PathWalk walk_;
  Rules rules_;
  Machine& machine_;
};

Result<std::unique_ptr<RowSource>> OpenYaraFile(const Request& request, Machine& machine) {
  HF_ASSIGN_OR_RETURN(PathWalk walk, PathWalk::Open(request, "yara_file", machine));
  HF_ASSIGN_OR_RETURN(Rules rules, RulesOf(request, "yara_file", machine));
  return std::unique_ptr<RowSource>(
      std::make_unique<YaraFileRows>(std::move(walk), std::move(rules), machine));
}

Result<std::unique_ptr<RowSource>> OpenYaraProcess(const Request& request, Machine& machine) {
  const auto wanted = request.EqualText(kThing);
  if (!wanted) {
    return Error{
        Code::kInvalid,
        "table yara_process needs a pid, for example WHERE pid = 4711, or a join with processes"};
  }
  HF_ASSIGN_OR_RETURN(const Rules rules, RulesOf(request, "yara_process", machine));
  std::vector<Row> rows;
  const auto pid = ParseInt(*wanted);
  if (pid && *pid > 0) {
    const auto matches = machine.Scan({.rules = rules.text, .path = {}, .pid = *pid});
    if (matches.ok()) {
      Row& row = rows.emplace_back(std::size(kProcessColumns));
      FillMatches(matches.value(), row);
      TellOfMore(matches.value(), machine);
      FillRules(rules, row);
      row[kThing] = *pid;
    }
  }
  return std::unique_ptr<RowSource>(std::make_unique<ReadyRows>(std::move(rows)));
}

}  // namespace

const Table kYaraFileTable = {
    .name = "yara_file",
    .description =
        "YARA rules over files of up to 64 MiB, by the module holdfast-agent-yara; a row for each "
        "file, also with "
        "a count of 0. At most 1000 matches of one.",
    .example =
        "SELECT path, matches, strings FROM yara_file WHERE path LIKE '/etc/%' AND count > 0 AND "
        "sigrule = 'rule sh { strings: $a = \"/bin/sh\" condition: $a }';",
    .cost = Cost::kFileBytes,
    .columns = kFileColumns,
    .open = OpenYaraFile,
};

const Table kYaraProcessTable = {
    .name = "yara_process",
    .description =
        "YARA rules over the memory of a process, by the module holdfast-agent-yara; a row also "
        "with a count of 0. "
        "At most 1000 matches of one.",
    .example =
        "SELECT p.name, y.strings FROM processes p JOIN yara_process y ON y.pid = p.pid WHERE "
        "y.count > 0 "
        "AND y.sigrule = 'rule path { strings: $a = \"PATH=/tmp\" condition: $a }';",
    .cost = Cost::kMemory,
    .columns = kProcessColumns,
    .open = OpenYaraProcess,
};

}  // namespace holdfast::agent
