// Answers of exec: what the program writes appears as it comes, or, in json, jsonl and csv, at its end.
#include <array>
#include <optional>
#include <utility>

#include "backend/cli/answers_by_verb.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/terminal_text.h"
#include "backend/sdk/output_reader.h"

namespace holdfast::cli {
namespace {

constexpr std::uint32_t kStdout = 1;  // result.proto, StdioChunk.fd
constexpr std::uint32_t kStderr = 2;

class ExecAnswers final : public Answers {
 public:
  ExecAnswers(const Call& call, const Job& job) : Answers(call, job) {
    if (call.options.format != Format::kCsv) return;
    csv_.emplace(call.console, Format::kCsv,
                 std::vector<RecordColumn>{{"host"},
                                           {"agent_id"},
                                           {"outcome"},
                                           {"failure"},
                                           {"exit_code"},
                                           {"stdout"},
                                           {"stderr"}});
  }

 private:
  struct Streams {
    sdk::StdioReader reader;
    std::array<LineCutter, 2> cutters;     // live
    std::array<std::string, 2> collected;  // json, jsonl, csv
    std::string unusable;                  // why the rest is dropped
  };

  bool live() const { return call_.options.format == Format::kTable; }

  Status Take(const AgentId& agent, std::string_view bytes) override {
    Streams& streams = streams_[agent];
    if (!streams.unusable.empty()) return Ok();
    streams.reader.Push(bytes);
    for (;;) {
      auto chunk = streams.reader.Next();
      if (!chunk.ok()) {
        streams.unusable = chunk.error().message;
        return Ok();
      }
      if (!chunk.value()) return Ok();
      const std::uint32_t fd = chunk.value()->fd();
      if (fd != kStdout && fd != kStderr) continue;  // of a newer agent
      if (live()) {
        Show(agent, streams, fd, chunk.value()->data());
        continue;
      }
      streams.collected.at(fd - 1) += chunk.value()->data();
      if (streams.collected[0].size() + streams.collected[1].size() <= kMaxHeldBytes) continue;
      streams.unusable =
          "more output than is held for json and csv; ask without -o, or --max-bytes";
      streams.collected = {};
      return Ok();
    }
  }

  std::string Check(const sdk::TargetEnd& end) override {
    const auto found = streams_.find(end.agent);
    return found == streams_.end() ? "" : found->second.unusable;
  }

  // Whole lines where they get a prefix or are made safe; the bytes as they are in a plain pipe.
  void Show(const AgentId& agent, Streams& streams, std::uint32_t fd, std::string_view bytes) {
    if (!job_.several && !IsTerminal(fd)) {
      Print(fd, bytes);
      return;
    }
    ShowLines(agent, fd, streams.cutters.at(fd - 1).Push(bytes));
  }
  void ShowLines(const AgentId& agent, std::uint32_t fd, std::string lines) {
    if (lines.empty()) return;
    if (IsTerminal(fd)) lines = SafeLines(lines);
    Print(fd, job_.several ? PrefixLines(HostOf(agent) + " | ", lines) : lines);
  }
  bool IsTerminal(std::uint32_t fd) const {
    return fd == kStdout ? call_.console.out_is_terminal() : call_.console.err_is_terminal();
  }
  void Print(std::uint32_t fd, std::string_view text) {
    if (fd == kStdout) {
      call_.console.Out(text);
    } else {
      call_.console.SayPlain(text);
    }
  }

  Status Reset(const AgentId& agent) override {
    streams_.erase(agent);
    if (live()) call_.console.Say(HostOf(agent) + ": it runs again; what follows is the new run");
    return Ok();
  }

  Status Finish(const sdk::TargetEnd& end, JsonObject& answer) override {
    auto node = streams_.extract(end.agent);
    Streams streams = node.empty() ? Streams() : std::move(node.mapped());
    if (live()) {
      for (const std::uint32_t fd : {kStdout, kStderr}) {
        ShowLines(end.agent, fd, streams.cutters.at(fd - 1).Flush());
      }
      if (!end.problem.empty() && !node.empty()) {
        call_.console.Say(HostOf(end.agent) + ": the output above is not to be trusted");
      }
      return Ok();
    }
    // Nothing of what does not hold: who reads only `stdout` must not take it for the endpoint's.
    const bool holds = end.problem.empty();
    if (!holds) streams.collected = {};
    const Cell exit_code = holds && end.result ? Cell::Int(end.result->exit_code()) : Cell::Null();
    if (csv_) {
      csv_->Add({Cell::Text(HostOf(end.agent)), Cell::Text(end.agent.hex()),
                 Cell::Text(OutcomeText(end)), FailureCell(end), exit_code,
                 Cell::Text(streams.collected[0]), Cell::Text(streams.collected[1])});
    }
    answer.Put("exit_code", exit_code)
        .Bool("truncated", holds && end.result && end.result->truncated());
    answer.Text("stdout", streams.collected[0]).Text("stderr", streams.collected[1]);
    return Ok();
  }

  void FinishAll() override {
    if (csv_) csv_->Finish();
  }

  std::map<AgentId, Streams> streams_;
  std::optional<RecordPrinter> csv_;
};

}  // namespace

std::unique_ptr<Answers> MakeExecAnswers(const Call& call, const Job& job) {
  return std::make_unique<ExecAnswers>(call, job);
}

}  // namespace holdfast::cli
