// Answers of put and cancel: that it was done.
#include <optional>

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/size_text.h"
#include "common/base/bytes.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

class PlainAnswers final : public Answers {
 public:
  PlainAnswers(const Call& call, const Job& job) : Answers(call, job) {
    if (call.options.format != Format::kCsv) return;
    csv_.emplace(
        call.console, Format::kCsv,
        std::vector<RecordColumn>{{"host"}, {"agent_id"}, {"outcome"}, {"failure"}, {"message"}});
  }

 private:
  Status Take(const AgentId& /*agent*/, std::string_view /*bytes*/) override { return Ok(); }
  Status Reset(const AgentId& /*agent*/) override { return Ok(); }

  Status Finish(const sdk::TargetEnd& end, JsonObject& answer) override {
    const bool is_put = job_.command.has_put() && job_.command.blobs_size() == 1;
    if (is_put) {
      answer.Text("path", job_.command.put().path());
      answer.Count("size", job_.command.blobs(0).size());
      answer.Text("sha256", ToHex(job_.command.blobs(0).sha256()));
    }
    if (csv_) {
      csv_->Add({Cell::Text(HostOf(end.agent)), Cell::Text(end.agent.hex()),
                 Cell::Text(OutcomeText(end)), FailureCell(end), Cell::Text(MessageText(end))});
    }
    if (call_.options.format != Format::kTable || !end.succeeded()) return Ok();
    call_.console.Out(is_put ? HostOf(end.agent) + ": wrote " +
                                   ForTerminal(Untrusted(job_.command.put().path())) + ", " +
                                   FormatSize(job_.command.blobs(0).size()) + ", sha256 " +
                                   ToHex(job_.command.blobs(0).sha256()) + "\n"
                             : HostOf(end.agent) + ": done\n");
    return Ok();
  }
  void FinishAll() override {
    if (csv_) csv_->Finish();
  }

  std::optional<RecordPrinter> csv_;
};

}  // namespace

std::unique_ptr<Answers> MakePlainAnswers(const Call& call, const Job& job) {
  return std::make_unique<PlainAnswers>(call, job);
}

}  // namespace holdfast::cli
