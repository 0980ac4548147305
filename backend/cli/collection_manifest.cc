#include "backend/cli/collection_manifest.h"

#include <algorithm>
#include <string_view>

#include <sys/stat.h>

#include "backend/cli/json_text.h"
#include "backend/cli/reason_names.h"
#include "backend/cli/time_text.h"
#include "common/base/bytes.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;

std::string OctalMode(std::uint32_t mode) {
  std::string text;
  for (mode &= 07777U; mode != 0 || text.size() < 3; mode >>= 3U) {
    text.insert(text.begin(), static_cast<char>('0' + (mode & 7U)));
  }
  return "0" + text;
}

std::string_view TypeOf(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "regular";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "symlink";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    case S_IFBLK: return "block";
    case S_IFCHR: return "character";
    default: return "unknown";
  }
}

std::string_view KindOf(const pb::CollectSource& source) {
  if (source.argv_size() > 0) return "program";
  if (!source.sql().empty()) return "query";
  return source.facts_only() ? "location" : "file";
}

template <typename Texts>
std::string JsonList(const Texts& texts) {
  JsonArray list;
  for (const auto& text : texts) list.Add(JsonString(text));
  return list.str();
}

// The word after FROM: what an answer is best called.
std::string TableIn(const std::string& sql) {
  std::string upper = sql;
  std::ranges::transform(upper, upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  const std::size_t from = upper.find(" FROM ");
  if (from == std::string::npos) return "answer";
  constexpr std::size_t kFromBytes = 6;
  std::size_t end = from + kFromBytes;
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  while (end < sql.size() && is_word(sql[end])) ++end;
  return end == from + kFromBytes ? "answer"
                                  : sql.substr(from + kFromBytes, end - from - kFromBytes);
}

void AddEnd(const pb::Result* result, std::uint64_t bytes, JsonObject& line) {
  line.Count("bytes", bytes);
  if (result == nullptr) {
    line.Raw("sha256", "null").Text("failure", "INCOMPLETE");
    line.Text("message", "the collection ends within it");
    return;
  }
  if (bytes > 0 || result->failure() == pb::COMMAND_FAILURE_UNSPECIFIED) {
    line.Text("sha256", ToHex(result->output_sha256()));
  } else {
    line.Raw("sha256", "null");
  }
  if (result->failure() == pb::COMMAND_FAILURE_UNSPECIFIED) {
    line.Raw("failure", "null");
  } else {
    line.Text("failure", FailureName(result->failure()));
  }
  line.Text("message", result->message());
}

}  // namespace

CollectionManifest::CollectionManifest(const sign::Crypto& crypto, const pb::Command& command)
    : crypto_(crypto), command_(command) {}

const pb::CollectSource* CollectionManifest::Source(std::uint32_t index) const {
  const auto& sources = command_.collect().sources();
  if (index >= static_cast<std::uint32_t>(sources.size())) return nullptr;
  return &sources[static_cast<int>(index)];
}

void CollectionManifest::Host(const pb::AgentFacts& host) { host_ = host; }

Status CollectionManifest::Begin(const pb::CollectItem& item) {
  if (Source(item.source()) == nullptr) {
    return Error{Code::kCorrupt, "the collection has a thing of a source that was not signed"};
  }
  item_ = item;
  entry_.clear();
  derived_.clear();
  return Ok();
}

bool CollectionManifest::is_answer() const {
  const pb::CollectSource* source = Source(item_.source());
  return source != nullptr && source->paths_size() == 0;
}

void CollectionManifest::UseNames() {
  if (!entry_.empty()) return;
  if (!is_answer()) {
    entry_ = names_.Take("files/", EntryPath(crypto_, item_.file().path()));
    return;
  }
  const pb::CollectSource& source = *Source(item_.source());
  entry_ = names_.Take("proof/answers/", std::to_string(answers_++));
  const std::string name = EntryComponent(crypto_, source.name());
  if (!source.sql().empty()) {
    derived_.push_back({names_.Take("tables/", name + "." + TableIn(source.sql()) + ".jsonl"),
                        AnswerText::Part::kRows});
    return;
  }
  const std::string& program = source.argv(0);
  const std::string base =
      name + "." + EntryComponent(crypto_, program.substr(program.rfind('/') + 1));
  derived_.push_back({names_.Take("programs/", base + ".stdout"), AnswerText::Part::kStdout});
  derived_.push_back({names_.Take("programs/", base + ".stderr"), AnswerText::Part::kStderr});
}

void CollectionManifest::Count(const pb::Result* result, std::uint64_t bytes) {
  totals_.bytes += bytes;
  if (result == nullptr) {
    ++totals_.failed;
    return;
  }
  if (result->file().unstable()) ++totals_.unstable;
  const bool is_done = result->failure() == pb::COMMAND_FAILURE_UNSPECIFIED;
  if (is_answer()) {
    const bool has_come = is_done || result->failure() == pb::COMMAND_FAILURE_EXIT_STATUS;
    ++(has_come ? totals_.answers : totals_.failed);
  } else if (!is_done) {
    const bool is_limit =
        result->failure() == pb::COMMAND_FAILURE_OUTPUT_LIMIT && !result->truncated();
    ++(is_limit ? totals_.left_out : totals_.failed);
  } else if (Source(item_.source())->facts_only() || !item_.same_as().empty()) {
    ++totals_.facts;
  } else {
    ++totals_.files;
  }
}

std::string CollectionManifest::End(const pb::Result* result, std::uint64_t bytes) {
  Count(result, bytes);
  const bool has_content = !is_answer() && result != nullptr &&
                           result->failure() == pb::COMMAND_FAILURE_UNSPECIFIED &&
                           !Source(item_.source())->facts_only() && item_.same_as().empty();
  if (has_content) UseNames();  // an empty file is a file
  const std::string line = is_answer() ? AnswerLine(result, bytes) : FileLine(result, bytes);
  return (things_++ == 0 ? "" : ",\n") + line;
}

std::string CollectionManifest::FileLine(const pb::Result* result, std::uint64_t bytes) {
  const pb::CollectSource& source = *Source(item_.source());
  const pb::FileFacts& file = item_.file();
  JsonObject line;
  line.Text("kind", KindOf(source)).Text("source", source.name()).Text("path", file.path());
  if (entry_.empty()) {
    line.Raw("entry", "null");
  } else {
    line.Text("entry", entry_);
  }
  AddEnd(result, bytes, line);
  line.Bool("unstable", result != nullptr && result->file().unstable());
  line.Text("type", TypeOf(file.mode())).Text("mode", OctalMode(file.mode()));
  line.Count("size", file.size()).Count("uid", file.uid()).Count("gid", file.gid());
  line.Text("user", item_.user()).Text("group", item_.group());
  line.Int("mtime_ns", file.mtime_ns()).Int("ctime_ns", file.ctime_ns());
  line.Int("atime_ns", file.atime_ns()).Int("btime_ns", file.btime_ns());
  line.Count("inode", item_.inode()).Count("device", item_.device());
  line.Count("hard_links", item_.hard_links());
  if (!item_.link_target().empty()) line.Text("link_target", item_.link_target());
  if (!item_.resolved().empty()) line.Text("resolved", item_.resolved());
  if (!item_.same_as().empty()) line.Text("same_as", item_.same_as());
  JsonArray attributes;
  for (int i = 0; i + 1 < item_.xattrs_size(); i += 2) {
    JsonObject attribute;
    attribute.Text("name", item_.xattrs(i)).Text("value_hex", ToHex(item_.xattrs(i + 1)));
    attributes.Add(attribute.str());
  }
  line.Raw("xattrs", attributes.str());
  return line.str();
}

std::string CollectionManifest::AnswerLine(const pb::Result* result, std::uint64_t bytes) {
  const pb::CollectSource& source = *Source(item_.source());
  JsonObject line;
  line.Text("kind", KindOf(source)).Text("source", source.name());
  if (source.sql().empty()) {
    line.Raw("argv", JsonList(source.argv()));
    line.Int("exit_code", result == nullptr ? 0 : result->exit_code());
  } else {
    line.Text("sql", source.sql()).Count("rows", result == nullptr ? 0 : result->rows());
  }
  JsonArray entries;
  for (const Derived& derived : derived_) entries.Add(JsonString(derived.entry));
  line.Raw("entries", entries.str());
  if (entry_.empty()) {
    line.Raw("raw_entry", "null");
  } else {
    line.Text("raw_entry", entry_);
  }
  AddEnd(result, bytes, line);
  line.Bool("truncated", result == nullptr || result->truncated());
  return line.str();
}

Status CollectionManifest::Summary(const pb::CollectSummary& summary) {
  const pb::CollectSource* source = Source(summary.source());
  if (source == nullptr || summaries_.contains(summary.source()) ||
      summary.unmatched_size() > source->paths_size()) {
    return Error{Code::kCorrupt, "the collection sums up a source that was not signed"};
  }
  summaries_[summary.source()] = summary;
  return Ok();
}

bool CollectionManifest::complete() const {
  return summaries_.size() == static_cast<std::size_t>(command_.collect().sources_size()) &&
         std::ranges::none_of(summaries_, [](const auto& each) { return each.second.cut(); });
}

std::string CollectionManifest::SourceLine(int index) const {
  const pb::CollectSource& source = command_.collect().sources(index);
  JsonObject line;
  line.Text("name", source.name()).Text("kind", KindOf(source));
  if (source.paths_size() > 0) line.Raw("paths", JsonList(source.paths()));
  if (source.argv_size() > 0) line.Raw("argv", JsonList(source.argv()));
  if (!source.sql().empty()) line.Text("sql", source.sql());
  const auto found = summaries_.find(static_cast<std::uint32_t>(index));
  line.Bool("reached", found != summaries_.end());
  if (found == summaries_.end()) return line.str();
  const pb::CollectSummary& summary = found->second;
  line.Count("matched", summary.matched()).Count("collected", summary.collected());
  line.Count("failed", summary.failed()).Count("left_out", summary.left_out());
  std::vector<std::string> unmatched;
  for (const std::uint32_t pattern : summary.unmatched()) {
    if (pattern < static_cast<std::uint32_t>(source.paths_size())) {
      unmatched.push_back(source.paths(static_cast<int>(pattern)));
    }
  }
  line.Raw("unmatched", JsonList(unmatched)).Count("denied", summary.denied());
  if (!summary.denied_first().empty()) line.Text("denied_first", summary.denied_first());
  line.Bool("cut", summary.cut());
  return line.str();
}

Result<CollectionManifest::Around> CollectionManifest::Frame(const CollectionProof& proof) const {
  HF_ASSIGN_OR_RETURN(const auto envelope, sign::ParseEnvelope(proof.result, sign::kResultType));
  HF_ASSIGN_OR_RETURN(const pb::Result result, sign::ParseResult(envelope.payload()));
  std::string operator_id;
  if (!proof.certificate.empty()) {
    HF_ASSIGN_OR_RETURN(const auto cert, sign::ParseEnvelope(proof.certificate, sign::kCertType));
    HF_ASSIGN_OR_RETURN(const pb::OperatorCert parsed, sign::ParseCert(cert.payload()));
    operator_id = parsed.operator_id();
  }
  JsonObject head;
  head.Int("format", kCollectionFormat).Text("fleet", ToHex(command_.fleet_id()));
  head.Text("agent", ToHex(result.agent_id())).Text("hostname", host_.hostname());
  head.Bool("privileged", host_.privileged()).Text("job", ToHex(result.command_digest()));
  head.Text("command_id", ToHex(command_.command_id())).Text("operator", operator_id);
  head.Text("case", command_.case_id()).Text("reason", command_.reason());
  head.Text("signed_at", FormatRfc3339(WallTime(command_.issued_at_ms())));
  head.Text("started_at", FormatRfc3339(WallTime(result.started_at_ms())));
  head.Text("ended_at", FormatRfc3339(WallTime(result.ended_at_ms())));
  head.Text("outcome", OutcomeName(result.outcome()));
  if (result.failure() == pb::COMMAND_FAILURE_UNSPECIFIED) {
    head.Raw("failure", "null");
  } else {
    head.Text("failure", FailureName(result.failure()));
  }
  head.Text("message", result.message()).Bool("complete", complete());
  head.Count("stream_bytes", result.output_bytes());
  head.Text("stream_sha256", ToHex(result.output_sha256()));
  JsonObject totals;
  AddTotals(totals_, totals);
  head.Raw("totals", totals.str());
  Around around;
  around.before = head.str();
  around.before.back() = ',';  // more members follow
  around.before += "\n\"sources\":[\n";
  for (int i = 0; i < command_.collect().sources_size(); ++i) {
    around.before += (i == 0 ? "" : ",\n") + SourceLine(i);
  }
  around.before += "],\n\"things\":[\n";
  around.after = "]}\n";
  return around;
}

void AddTotals(const CollectionTotals& totals, JsonObject& to) {
  to.Count("files", totals.files).Count("facts", totals.facts);
  to.Count("answers", totals.answers).Count("failed", totals.failed);
  to.Count("left_out", totals.left_out).Count("unstable", totals.unstable);
  to.Count("bytes", totals.bytes);
}

}  // namespace holdfast::cli
