// FakeStore: the port Store in memory; forgets on Crash() what was not committed.
//
// Can be told to fail its next writes or commits, as a full disk would.
//
// Threading: thread-compatible.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/core/control_ledger.h"
#include "backend/core/store.h"

namespace holdfast::testing {

class FakeStore final : public backend::Store {
 public:
  using AgentRow = backend::AgentRow;
  using CommandRow = backend::CommandRow;
  using DeliveryRow = backend::DeliveryRow;
  using TokenRow = backend::TokenRow;
  using AuditRow = backend::AuditRow;
  using Key = backend::DeliveryKey;

  // The process died: only the last commit is left.
  void Crash() { Rollback(); }
  void FailNextCommits(int count) { failing_commits_ = count; }
  // A store elsewhere: the next commit takes effect, and nobody hears of it; nothing answers until SetAway(false).
  void LoseNextAnswer() { loses_answer_ = true; }
  void SetAway(bool on) { away_ = on; }
  void FailNextWrites(int count) { failing_writes_ = count; }
  int commits() const { return commits_; }
  // The process dies at its n-th commit from now: before it takes effect, or right after it did. Then
  // died() holds, and whoever drives the process must not let anything out any more.
  void DieAtCommit(int n, bool before) {
    die_in_ = n;
    die_before_ = before;
    died_ = false;
  }
  bool died() const { return died_; }

  Result<std::vector<AgentRow>> LoadAgents() override {
    std::vector<AgentRow> out;
    for (const auto& [id, row] : now_.agents) out.push_back(row);
    return out;
  }
  Result<std::vector<CommandRow>> LoadOpenCommands() override {
    return ListOf([](const CommandRow& row) { return row.ended < row.targets; });
  }
  Result<std::vector<DeliveryRow>> LoadOpenDeliveries() override {
    std::vector<DeliveryRow> out;
    for (const auto& [key, row] : now_.deliveries) {
      if (!row.ended()) out.push_back(row);
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a.accepted_ms < b.accepted_ms; });
    return out;
  }
  Result<std::optional<AuditRow>> LastAudit() override {
    if (away_) return Error{Code::kUnavailable, "away"};
    if (now_.audit.empty()) return std::optional<AuditRow>();
    return std::optional(now_.audit.back());
  }
  Result<std::vector<Nonce16>> IncomingFiles() override {
    std::vector<Nonce16> out;
    for (const auto& [key, row] : now_.deliveries) {
      if (row.place == backend::OutputPlace::kIncoming) out.push_back(row.output_name);
    }
    return out;
  }
  Result<std::optional<CommandRow>> FindCommand(const Digest& digest) override {
    const auto found = now_.commands.find(digest);
    if (found == now_.commands.end()) return std::optional<CommandRow>();
    return std::optional(found->second);
  }
  Result<std::optional<CommandRow>> FindCommandById(const CommandId& id) override {
    for (const auto& [digest, row] : now_.commands) {
      if (row.command_id == id) return std::optional(row);
    }
    return std::optional<CommandRow>();
  }
  Result<std::vector<CommandRow>> FindCommandsByPrefix(std::string_view prefix) override {
    auto rows =
        ListOf([prefix](const CommandRow& row) { return row.digest.view().starts_with(prefix); });
    if (rows.size() > 2) rows.resize(2);
    return rows;
  }
  Result<std::vector<CommandRow>> ListCommands(std::uint64_t before_ms, std::size_t limit,
                                               bool open_only) override {
    auto rows = ListOf([=](const CommandRow& row) {
      return (before_ms == 0 || row.accepted_ms < before_ms) &&
             (!open_only || row.ended < row.targets);
    });
    std::reverse(rows.begin(), rows.end());
    if (rows.size() > limit) rows.resize(limit);
    return rows;
  }
  Result<std::optional<DeliveryRow>> FindDelivery(const Digest& digest,
                                                  const AgentId& agent) override {
    const auto found = now_.deliveries.find({digest, agent});
    if (found == now_.deliveries.end()) return std::optional<DeliveryRow>();
    return std::optional(found->second);
  }
  Result<std::vector<DeliveryRow>> DeliveriesOf(const Digest& digest) override {
    std::vector<DeliveryRow> out;
    for (const auto& [key, row] : now_.deliveries) {
      if (key.digest == digest) out.push_back(row);
    }
    return out;
  }
  Result<std::optional<TokenRow>> FindToken(const Digest& hash) override {
    const auto found = now_.tokens.find(hash);
    if (found == now_.tokens.end()) return std::optional<TokenRow>();
    return std::optional(found->second);
  }
  Result<std::vector<AuditRow>> ListAudit(std::uint64_t after_seq, std::size_t limit,
                                          std::string_view digest) override {
    std::vector<AuditRow> out;
    for (const AuditRow& row : now_.audit) {
      if (out.size() == limit) break;
      if (row.seq > after_seq && (digest.empty() || row.digest == digest)) out.push_back(row);
    }
    return out;
  }
  Result<std::string> ReadInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                                 std::size_t max_bytes) override {
    const auto found = now_.outputs.find({digest, agent});
    if (found == now_.outputs.end() || offset >= found->second.size()) return std::string();
    return found->second.substr(static_cast<std::size_t>(offset), max_bytes);
  }

  Status PutAgent(const AgentRow& row) override {
    return Write([&] { now_.agents[row.id] = row; });
  }
  Status InsertCommand(const CommandRow& row) override {
    if (now_.commands.contains(row.digest) || FindCommandById(row.command_id).value()) {
      broken_ = true;
      return Error{Code::kExists, "the command is there already"};
    }
    return Write([&] {
      now_.commands[row.digest] = row;
      now_.order.push_back(row.digest);
    });
  }
  Status PutCommandCounts(const Digest& digest, std::uint32_t ended,
                          std::uint32_t succeeded) override {
    return Write([&] {
      const auto found = now_.commands.find(digest);
      if (found == now_.commands.end()) return;
      found->second.ended = ended;
      found->second.succeeded = succeeded;
    });
  }
  Status PutDelivery(const DeliveryRow& row) override {
    return Write([&] { now_.deliveries[{row.digest, row.agent_id}] = row; });
  }
  Status PutToken(const TokenRow& row) override {
    return Write([&] {
      if (row.uses_left == 0) {
        now_.tokens.erase(row.hash);
      } else {
        now_.tokens[row.hash] = row;
      }
    });
  }
  Status AppendAudit(const AuditRow& row) override {
    return Write([&] { now_.audit.push_back(row); });
  }
  Status AppendInline(const Digest& digest, const AgentId& agent, std::uint64_t offset,
                      std::string_view bytes) override {
    return Write([&] {
      std::string& output = now_.outputs[{digest, agent}];
      output.resize(static_cast<std::size_t>(offset));
      output.append(bytes);
    });
  }
  Status DropInline(const Digest& digest, const AgentId& agent) override {
    return Write([&] { now_.outputs.erase({digest, agent}); });
  }

  Status Commit() override {
    if (broken_) return Error{Code::kUnavailable, "a write of this turn failed"};
    if (std::exchange(loses_answer_, false)) {
      disk_ = now_;
      away_ = true;
    }
    if (away_ || failing_commits_ > 0) {
      if (!away_) --failing_commits_;
      Rollback();
      return Error{Code::kUnavailable, "no space"};
    }
    const bool dies = die_in_ > 0 && --die_in_ == 0;
    if (!dies || !die_before_) disk_ = now_;
    ++commits_;
    if (!dies) return Ok();
    died_ = true;
    return Error{Code::kUnavailable, "the process is dead"};
  }
  void Rollback() override {
    now_ = disk_;
    broken_ = false;
  }

 private:
  struct State {
    std::map<AgentId, AgentRow> agents;
    std::map<Digest, CommandRow> commands;
    std::vector<Digest> order;
    std::map<Key, DeliveryRow> deliveries;
    std::map<Key, std::string> outputs;
    std::map<Digest, TokenRow> tokens;
    std::vector<AuditRow> audit;
  };
  template <typename Change>
  Status Write(Change change) {
    if (broken_) return Error{Code::kUnavailable, "a write of this turn failed"};
    if (failing_writes_ > 0) {
      --failing_writes_;
      broken_ = true;
      return Error{Code::kUnavailable, "no space"};
    }
    change();
    return Ok();
  }
  template <typename Wanted>
  std::vector<CommandRow> ListOf(Wanted wanted) const {
    std::vector<CommandRow> out;
    for (const Digest& digest : now_.order) {
      const CommandRow& row = now_.commands.at(digest);
      if (wanted(row)) out.push_back(row);
    }
    return out;
  }

  State now_;
  State disk_;
  bool broken_ = false;
  bool loses_answer_ = false;
  bool away_ = false;
  int failing_commits_ = 0;
  int failing_writes_ = 0;
  int commits_ = 0;
  int die_in_ = 0;
  bool die_before_ = false;
  bool died_ = false;
};

}  // namespace holdfast::testing
