// Answers of cat, get, archive, memdump and capture: bytes, passed on only when they are the ones that were signed.
#include <optional>
#include <utility>

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/host_names.h"
#include "backend/cli/memory_words.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/size_text.h"
#include "backend/cli/terminal_text.h"
#include "backend/sdk/partial_file.h"
#include "common/base/bytes.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{256} * 1024;
using File = std::unique_ptr<sdk::PartialFile>;

class FileAnswers : public Answers {
 public:
  using Answers::Answers;

 protected:
  virtual Result<File> NewFile(const AgentId& agent) = 0;

  Status Take(const AgentId& agent, std::string_view bytes) override {
    HF_ASSIGN_OR_RETURN(sdk::PartialFile * file, FileOf(agent));
    return file->Append(bytes);
  }
  Status Reset(const AgentId& agent) override {
    const auto found = files_.find(agent);
    return found == files_.end() ? Ok() : found->second->Restart();
  }
  // An empty file has no output to begin it.
  Result<sdk::PartialFile*> FileOf(const AgentId& agent) {
    const auto found = files_.find(agent);
    if (found != files_.end()) return found->second.get();
    HF_ASSIGN_OR_RETURN(File file, NewFile(agent));
    return files_.emplace(agent, std::move(file)).first->second.get();
  }
  void Drop(const AgentId& agent) { files_.erase(agent); }
  static bool Good(const sdk::TargetEnd& end) { return end.succeeded() && end.output_verified; }
  // What the signed result tells of the file.
  void AddFacts(const sdk::TargetEnd& end, JsonObject& answer) const {
    if (!end.result) return;
    answer.Count("size", end.result->output_bytes());
    answer.Text("sha256", ToHex(end.result->output_sha256()));
    if (!job_.command.has_get() && !job_.command.has_cat()) return;  // no file there
    const auto& file = end.result->file();
    answer.Count("mode", file.mode()).Count("uid", file.uid()).Count("gid", file.gid());
    answer.Int("mtime_ns", file.mtime_ns()).Int("ctime_ns", file.ctime_ns());
    answer.Int("atime_ns", file.atime_ns()).Int("btime_ns", file.btime_ns());
    answer.Bool("unstable", file.unstable());
  }
  void WarnIfUnstable(const sdk::TargetEnd& end) {
    if (end.result && end.result->file().unstable()) {
      Say(HostOf(end.agent) + ": the file changed while it was read");
    }
  }

 private:
  std::map<AgentId, File> files_;
};

class CatAnswers final : public FileAnswers {
 public:
  using FileAnswers::FileAnswers;

 private:
  Result<File> NewFile(const AgentId& /*agent*/) override {
    return sdk::PartialFile::CreateUnnamed();
  }

  Status Finish(const sdk::TargetEnd& end, JsonObject& answer) override {
    HF_ASSIGN_OR_RETURN(sdk::PartialFile * file, FileOf(end.agent));
    const bool good = end.problem.empty() && end.output_verified;
    std::string content;  // json and jsonl
    if (good && !wants_answers() && job_.several) {
      call_.console.Out("==> " + HostOf(end.agent) + " <==\n");
    }
    for (std::uint64_t offset = 0; good;) {
      HF_ASSIGN_OR_RETURN(const std::string piece, file->ReadBack(offset, kPieceBytes));
      if (piece.empty()) break;
      offset += piece.size();
      if (wants_answers()) {
        content += piece;
      } else {
        Print(piece);
      }
    }
    Print(std::nullopt);
    answer.Text("remote_path", job_.command.cat().path());
    if (end.succeeded()) AddFacts(end, answer);
    answer.Text("content", content);
    WarnIfUnstable(end);
    Drop(end.agent);
    return Ok();
  }

  // As it is in a pipe; made safe, line by line, on a terminal. nullopt: the end.
  void Print(const std::optional<std::string>& piece) {
    if (!call_.console.out_is_terminal()) {
      if (piece) call_.console.Out(*piece);
      return;
    }
    call_.console.Out(SafeLines(piece ? lines_.Push(*piece) : lines_.Flush()));
  }

  LineCutter lines_;
};

class GetAnswers final : public FileAnswers {
 public:
  GetAnswers(const Call& call, const Job& job)
      : FileAnswers(call, job), directories_(DirectoryNames(job.targets)) {
    if (call.options.format != Format::kCsv) return;
    csv_.emplace(call.console, Format::kCsv,
                 std::vector<RecordColumn>{{"host"}, {"agent_id"}, {"path"}, {"size"}, {"sha256"}});
  }

 private:
  // What came until something ended it is worth having: a failure does not take it away.
  bool keeps_parts() const { return job_.command.has_memdump() || job_.command.has_capture(); }
  // The last part of the path that was asked for; it is the analyst's own word, not the endpoint's.
  std::string Basename() const {
    if (job_.command.has_memdump()) return MemoryFileName(job_.command.memdump());
    if (job_.command.has_capture()) return "capture.pcapng";
    if (job_.command.has_get()) return BasenameOf(job_.command.get().path());
    const auto& paths = job_.command.archive().paths();
    return (paths.size() == 1 ? BasenameOf(paths[0]) : "archive") + ".tar";
  }
  static std::string BasenameOf(std::string path) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    const std::string name = path.substr(path.rfind('/') + 1);
    return name.empty() || name == "." || name == ".." ? "file" : name;
  }
  std::string LocalPath(const AgentId& agent) const {
    if (!call_.options.local_file.empty()) return call_.options.local_file;
    const auto found = directories_.find(agent);
    const std::string host = found == directories_.end() ? agent.hex() : found->second;
    return call_.options.local_dir + "/" + host + "/" + Basename();
  }
  Result<File> NewFile(const AgentId& agent) override {
    return sdk::PartialFile::Create(LocalPath(agent));
  }

  Status Finish(const sdk::TargetEnd& end, JsonObject& answer) override {
    AddSource(answer);
    const bool is_part = !Good(end);
    if (is_part && !(keeps_parts() && IsWorthKeeping(end))) {
      Drop(end.agent);
      return Ok();
    }
    HF_ASSIGN_OR_RETURN(sdk::PartialFile * file, FileOf(end.agent));
    if (is_part) file->Rename(LocalPath(end.agent) + ".part");
    using IfThere = sdk::PartialFile::IfThere;
    const IfThere if_there = call_.options.local_file.empty() ? IfThere::kNumber
                             : call_.options.force            ? IfThere::kReplace
                                                              : IfThere::kRefuse;
    HF_ASSIGN_OR_RETURN(const std::string path, file->Commit(if_there));
    Drop(end.agent);
    answer.Text("path", path);
    if (keeps_parts()) answer.Bool("complete", !is_part);
    AddFacts(end, answer);
    WarnIfUnstable(end);
    if (call_.options.format == Format::kTable) {
      // The hash on a line of its own: it is compared by eye, and must be whole.
      call_.console.Out(ForTerminal(Untrusted(path)) + "  " +
                        FormatSize(end.result->output_bytes()) + "\n  sha256 " +
                        ToHex(end.result->output_sha256()) + "\n");
    }
    if (csv_) {
      csv_->Add({Cell::Text(HostOf(end.agent)), Cell::Text(end.agent.hex()), Cell::Text(path),
                 Cell::Count(end.result->output_bytes()),
                 Cell::Text(ToHex(end.result->output_sha256()))});
    }
    return Ok();
  }
  // Signed, and something.
  static bool IsWorthKeeping(const sdk::TargetEnd& end) {
    return end.is_signed() && end.output_verified && end.result->output_bytes() > 0;
  }
  void AddSource(JsonObject& answer) const {
    if (job_.command.has_archive()) {
      JsonArray paths;
      for (const auto& path : job_.command.archive().paths()) paths.Add(JsonString(path));
      answer.Raw("remote_paths", paths.str());
    } else if (job_.command.has_get()) {
      answer.Text("remote_path", job_.command.get().path());
    }
  }
  void FinishAll() override {
    if (csv_) csv_->Finish();
  }

  std::map<AgentId, std::string> directories_;
  std::optional<RecordPrinter> csv_;
};

}  // namespace

std::unique_ptr<Answers> MakeCatAnswers(const Call& call, const Job& job) {
  return std::make_unique<CatAnswers>(call, job);
}
std::unique_ptr<Answers> MakeGetAnswers(const Call& call, const Job& job) {
  return std::make_unique<GetAnswers>(call, job);
}

}  // namespace holdfast::cli
