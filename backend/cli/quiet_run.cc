#include "backend/cli/quiet_run.h"

#include <optional>
#include <utility>

#include "backend/cli/host_names.h"
#include "backend/sdk/output_reader.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;

constexpr std::size_t kMaxQuietRows = 20'000;

class QuietRows final : public sdk::FollowSink {
 public:
  void OnState(const ::holdfast::api::v1::Delivery& /*delivery*/) override {}
  Status OnOutput(const AgentId& /*agent*/, std::string_view bytes) override {
    reader_.Push(bytes);
    for (;;) {
      HF_ASSIGN_OR_RETURN(const auto batch, reader_.Next());
      if (!batch) return Ok();
      for (const auto& column : batch->columns()) columns_.push_back(column.name());
      for (const auto& row : batch->rows()) Add(row);
    }
  }
  Status OnRestart(const AgentId& /*agent*/) override {
    return Error{Code::kInternal, "it began again"};
  }
  Status OnEnd(const sdk::TargetEnd& end) override {
    end_ = end;
    return Ok();
  }
  std::vector<QuietRow>& rows() { return rows_; }
  const std::optional<sdk::TargetEnd>& end() const { return end_; }

 private:
  void Add(const pb::Row& row) {
    if (rows_.size() >= kMaxQuietRows) return;
    QuietRow& out = rows_.emplace_back();
    for (int i = 0; i < row.values_size() && static_cast<std::size_t>(i) < columns_.size(); ++i) {
      const pb::Value& value = row.values(i);
      std::string text = value.text();
      if (value.kind_case() == pb::Value::kInteger) text = std::to_string(value.integer());
      out[columns_[static_cast<std::size_t>(i)]] = std::move(text);
    }
  }
  sdk::RowReader reader_;
  std::vector<std::string> columns_;
  std::vector<QuietRow> rows_;
  std::optional<sdk::TargetEnd> end_;
};

}  // namespace

Result<std::vector<QuietRow>> QuietRun(const Call& call, Session& session,
                                       const sdk::Target& target, const sdk::Verb& verb,
                                       Duration patience) {
  Job job;
  job.targets = {target};
  job.hosts = ShownHosts(job.targets);
  HF_ASSIGN_OR_RETURN(const auto command, SignFor(call, session, verb, job));
  HF_ASSIGN_OR_RETURN(const auto submitted, session.client->Submit(command));
  if (submitted.offline_size() > 0) return Error{Code::kExpired, "the endpoint is offline"};
  QuietRows rows;
  sdk::Client::FollowOptions options;
  options.wait = patience;
  HF_ASSIGN_OR_RETURN(const auto followed,
                      session.client->Follow(command.digest, command.targets, options, rows));
  if (followed != sdk::Client::Followed::kFinished || !rows.end()) {
    return Error{Code::kExpired, "no answer in time"};
  }
  const sdk::TargetEnd& end = *rows.end();
  if (!end.problem.empty()) return Error{Code::kDenied, "NOT TRUSTED: " + end.problem};
  if (!end.succeeded()) {
    const bool is_missing = end.failure() == pb::COMMAND_FAILURE_NO_SUCH_FILE;
    return Error{is_missing ? Code::kNotFound : Code::kInternal,
                 ForTerminal(Untrusted(end.message()))};
  }
  return std::move(rows.rows());
}

}  // namespace holdfast::cli
