// Answers of capture to a pipe: the bytes as they come. Whether they are the ones that were signed shows at the end.
#include "backend/cli/answers_by_verb.h"
#include "common/base/bytes.h"

namespace holdfast::cli {
namespace {

class LiveAnswers final : public Answers {
 public:
  using Answers::Answers;

 private:
  Status Take(const AgentId& /*agent*/, std::string_view bytes) override {
    call_.console.Out(bytes);
    return Ok();
  }
  Status Reset(const AgentId& agent) override {
    return Error{Code::kCorrupt,
                 HostOf(agent) + ": it runs again; what came until here stays as it is"};
  }
  Status Finish(const sdk::TargetEnd& end, JsonObject& /*answer*/) override {
    if (!end.problem.empty()) Say(HostOf(end.agent) + ": what was printed is not to be trusted");
    return Ok();
  }
};

}  // namespace

std::unique_ptr<Answers> MakeLiveAnswers(const Call& call, const Job& job) {
  return std::make_unique<LiveAnswers>(call, job);
}

}  // namespace holdfast::cli
