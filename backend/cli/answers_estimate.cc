// Answers of collect --estimate: how many files would come, and how much they hold; nothing is read or kept.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/size_text.h"
#include "backend/sdk/collection_reader.h"

namespace holdfast::cli {
namespace {

using Kind = sdk::CollectionReader::Event::Kind;

class EstimateAnswers final : public Answers {
 public:
  EstimateAnswers(const Call& call, const Job& job) : Answers(call, job) {
    if (wants_answers()) return;
    printer_.emplace(
        call.console, call.options.format,
        std::vector<RecordColumn>{
            {"host"}, {"agent_id", false}, {"files"}, {"bytes"}, {"denied"}, {"complete"}});
  }

 private:
  struct Count {
    std::unique_ptr<sdk::CollectionReader> reader;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t denied = 0;  // could not be looked at, or directories that could not be listed
    bool is_whole = true;
    std::string problem;
  };

  Count& Of(const AgentId& agent) {
    Count& count = counts_[agent];
    if (count.reader == nullptr) {
      count.reader = std::make_unique<sdk::CollectionReader>(call_.crypto);
    }
    return count;
  }

  Status Take(const AgentId& agent, std::string_view bytes) override {
    Count& count = Of(agent);
    if (!count.problem.empty()) return Ok();
    count.reader->Push(bytes);
    for (;;) {
      auto event = count.reader->Next();
      if (!event.ok()) {
        count.problem = event.error().message;
        return Ok();
      }
      if (!event.value()) break;
      if (event.value()->kind == Kind::kBegin) Add(event.value()->item, count);
      if (event.value()->kind == Kind::kSummary) Add(event.value()->summary, count);
    }
    (void)count.reader->TakeFrames();
    return Ok();
  }
  Status Reset(const AgentId& agent) override {
    counts_.erase(agent);
    return Ok();
  }
  std::string Check(const sdk::TargetEnd& end) override { return Of(end.agent).problem; }

  void Add(const command::v1::CollectItem& item, Count& count) const {
    if (!S_ISREG(item.file().mode()) || !item.same_as().empty()) return;
    ++count.files;
    count.bytes += item.file().size();
  }
  static void Add(const command::v1::CollectSummary& summary, Count& count) {
    count.denied += summary.failed() + summary.denied();
    if (summary.cut() || summary.left_out() > 0) count.is_whole = false;
  }

  Status Finish(const sdk::TargetEnd& end, JsonObject& answer) override {
    const Count& count = Of(end.agent);
    const bool is_good = end.problem.empty() && end.output_verified && end.result;
    const bool is_whole =
        is_good && count.is_whole && end.failure() == command::v1::COMMAND_FAILURE_UNSPECIFIED;
    answer.Count("files", is_good ? count.files : 0).Count("bytes", is_good ? count.bytes : 0);
    answer.Count("denied", is_good ? count.denied : 0).Bool("complete", is_whole);
    if (!is_good || !printer_) return Ok();
    const bool is_for_people = call_.options.format == Format::kTable;
    printer_->Add({Cell::Text(HostOf(end.agent)), Cell::Text(end.agent.hex()),
                   Cell::Count(count.files),
                   is_for_people ? Cell::Text(FormatSize(count.bytes)) : Cell::Count(count.bytes),
                   Cell::Count(count.denied), Cell::Bool(is_whole)});
    return Ok();
  }
  void FinishAll() override {
    if (printer_) printer_->Finish();
  }

  std::map<AgentId, Count> counts_;
  std::optional<RecordPrinter> printer_;
};

}  // namespace

std::unique_ptr<Answers> MakeEstimateAnswers(const Call& call, const Job& job) {
  return std::make_unique<EstimateAnswers>(call, job);
}

}  // namespace holdfast::cli
