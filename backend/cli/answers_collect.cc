// Answers of collect: a zip for each target, there only when it is what was signed.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/collection_zip.h"
#include "backend/cli/host_names.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/size_text.h"
#include "common/base/untrusted.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::cli {
namespace {

using IfThere = sdk::PartialFile::IfThere;
using Zip = std::unique_ptr<CollectionZip>;

std::string Counted(std::uint64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// Each zip that comes has several files open, and a thousand may come at once.
void AllowManyFiles() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

class CollectAnswers final : public Answers {
 public:
  CollectAnswers(const Call& call, const Job& job)
      : Answers(call, job), directories_(DirectoryNames(job.targets)) {
    AllowManyFiles();
    if (call.options.format != Format::kCsv) return;
    csv_.emplace(call.console, Format::kCsv,
                 std::vector<RecordColumn>{{"host"},
                                           {"agent_id"},
                                           {"path"},
                                           {"size"},
                                           {"manifest_sha256"},
                                           {"files"},
                                           {"answers"},
                                           {"failed"},
                                           {"left_out"},
                                           {"unstable"},
                                           {"complete"}});
  }

 private:
  std::string LocalPath(const AgentId& agent) const {
    if (!call_.options.local_file.empty()) return call_.options.local_file;
    const auto found = directories_.find(agent);
    const std::string host = found == directories_.end() ? agent.hex() : found->second;
    return call_.options.local_dir + "/" + host + "/collection-" + job_.short_id() + ".zip";
  }
  Result<CollectionZip*> ZipOf(const AgentId& agent) {
    const auto found = zips_.find(agent);
    if (found != zips_.end()) return found->second.get();
    HF_ASSIGN_OR_RETURN(Zip zip,
                        CollectionZip::Create(call_.crypto, job_.command, LocalPath(agent)));
    return zips_.emplace(agent, std::move(zip)).first->second.get();
  }

  Status Take(const AgentId& agent, std::string_view bytes) override {
    HF_ASSIGN_OR_RETURN(CollectionZip * zip, ZipOf(agent));
    return zip->Push(bytes);
  }
  Status Reset(const AgentId& agent) override {
    const auto found = zips_.find(agent);
    return found == zips_.end() ? Ok() : found->second->Restart();
  }
  std::string Check(const sdk::TargetEnd& end) override {
    const auto found = zips_.find(end.agent);
    return found == zips_.end() ? "" : found->second->problem();
  }

  // As the backend told it, if it is one at all: it proves itself or does not, when it is checked.
  std::string Certificate() const {
    const auto envelope = sign::ParseEnvelope(job_.cert_envelope, sign::kCertType);
    const bool is_one = envelope.ok() && sign::ParseCert(envelope.value().payload()).ok();
    return is_one ? job_.cert_envelope : "";
  }

  // One that was cut by a limit, a cancel or the worker's end was signed as far as it went.
  Status Finish(const sdk::TargetEnd& end, JsonObject& answer) override {
    auto zip = zips_.extract(end.agent);
    const bool is_good = !zip.empty() && end.problem.empty() && end.output_verified && end.result;
    if (!is_good) {
      answer.Raw("path", "null");
      return Ok();
    }
    const CollectionProof proof = {.command = job_.envelope,
                                   .certificate = Certificate(),
                                   .result = end.delivery.result_envelope(),
                                   .agent_key = end.delivery.agent_pubkey()};
    const IfThere if_there = call_.options.local_file.empty() ? IfThere::kNumber
                             : call_.options.force            ? IfThere::kReplace
                                                              : IfThere::kRefuse;
    HF_ASSIGN_OR_RETURN(const auto made, zip.mapped()->Finish(proof, if_there));
    answer.Text("path", made.path).Count("size", made.bytes);
    answer.Text("manifest_sha256", made.manifest_sha256).Bool("complete", made.complete);
    const CollectionTotals& totals = made.totals;
    AddTotals(totals, answer);
    if (call_.options.format == Format::kTable) PrintForPeople(made);
    if (csv_) {
      csv_->Add({Cell::Text(HostOf(end.agent)), Cell::Text(end.agent.hex()), Cell::Text(made.path),
                 Cell::Count(made.bytes), Cell::Text(made.manifest_sha256),
                 Cell::Count(totals.files), Cell::Count(totals.answers), Cell::Count(totals.failed),
                 Cell::Count(totals.left_out), Cell::Count(totals.unstable),
                 Cell::Bool(made.complete)});
    }
    return Ok();
  }

  void PrintForPeople(const CollectionZip::Made& made) {
    const CollectionTotals& totals = made.totals;
    std::string line = ForTerminal(Untrusted(made.path)) + "  " + FormatSize(made.bytes) + ": " +
                       Counted(totals.files, "file", "files") + " (" + FormatSize(totals.bytes) +
                       "), " + Counted(totals.answers, "answer", "answers");
    if (totals.failed > 0) line += ", " + std::to_string(totals.failed) + " not whole";
    if (totals.left_out > 0) line += ", " + std::to_string(totals.left_out) + " left out";
    if (totals.unstable > 0) line += ", " + std::to_string(totals.unstable) + " UNSTABLE";
    // The hash on a line of its own: it is compared by eye, and must be whole.
    call_.console.Out(line + (made.complete ? "" : "; INCOMPLETE") + "\n  manifest sha256 " +
                      made.manifest_sha256 + "\n");
  }

  void FinishAll() override {
    if (csv_) csv_->Finish();
  }

  std::map<AgentId, Zip> zips_;
  std::map<AgentId, std::string> directories_;
  std::optional<RecordPrinter> csv_;
};

}  // namespace

std::unique_ptr<Answers> MakeCollectAnswers(const Call& call, const Job& job) {
  return std::make_unique<CollectAnswers>(call, job);
}

}  // namespace holdfast::cli
