#include "backend/core/control_watch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "backend/core/control_convert.h"

namespace holdfast::backend {

using Event = api::v1::WatchEvent;

Status Watch::Open() {
  HF_ASSIGN_OR_RETURN(const std::vector<DeliveryRow> rows, ports_.store.DeliveriesOf(digest_));
  if (rows.empty()) return Error{Code::kNotFound, "no such command"};
  for (const DeliveryRow& row : rows) {
    Target target;
    target.agent = row.agent_id;
    for (const auto& position : from_) {
      if (position.agent_id() != row.agent_id.view()) continue;
      target.attempt = position.attempt();
      target.offset = position.offset();
    }
    targets_.push_back(target);
    Queue(targets_.size() - 1);
  }
  from_.clear();
  open_ = true;
  return Ok();
}

void Watch::Queue(std::size_t index) {
  Target& target = targets_[index];
  if (target.done) return;
  if (!target.in_states) {
    target.in_states = true;
    states_.push_back(index);
  }
  if (output_ && !target.in_outputs) {
    target.in_outputs = true;
    outputs_.push_back(index);
  }
}

void Watch::OnChanged(const AgentId& agent) {
  const auto found =
      std::lower_bound(targets_.begin(), targets_.end(), agent,
                       [](const Target& target, const AgentId& id) { return target.agent < id; });
  if (found != targets_.end() && found->agent == agent) {
    Queue(static_cast<std::size_t>(found - targets_.begin()));
  }
}

void Watch::OnFlow(std::uint64_t consumed_bytes) {
  consumed_bytes_ += std::min(consumed_bytes, sent_bytes_ - consumed_bytes_);
}

Result<DeliveryRow> Watch::Row(const Target& target) const {
  // Only what is on disk may be told.
  const DeliveryRow* row = ports_.ledger.Committed({digest_, target.agent});
  if (row != nullptr) return *row;
  HF_ASSIGN_OR_RETURN(std::optional<DeliveryRow> stored,
                      ports_.store.FindDelivery(digest_, target.agent));
  if (!stored) return Error{Code::kNotFound, "the delivery is gone"};
  return *std::move(stored);
}

bool Watch::OutputLeft(Target& target, const DeliveryRow& row) const {
  if (!output_ || target.output_lost) return false;
  if (row.output_attempt != target.attempt) {
    target.attempt = row.output_attempt;
    target.offset = 0;
  }
  return target.offset < row.stored_bytes;
}

Result<std::optional<Event>> Watch::Next() {
  if (!open_) HF_TRY(Open());
  if (finished_) return std::optional<Event>();
  for (;;) {
    HF_ASSIGN_OR_RETURN(std::optional<Event> event, NextState());
    if (!event) {
      HF_ASSIGN_OR_RETURN(event, NextOutput());
    }
    if (event) return event;
    if (states_.empty()) break;  // an exhausted output may have released a state
  }
  if (done_ < targets_.size()) return std::optional<Event>();
  finished_ = true;
  Event event;
  event.mutable_finished();
  return std::optional<Event>(std::move(event));
}

Result<std::optional<Event>> Watch::NextState() {
  while (!states_.empty()) {
    Target& target = targets_[states_.front()];
    states_.pop_front();
    target.in_states = false;
    if (target.done) continue;
    HF_ASSIGN_OR_RETURN(const DeliveryRow row, Row(target));
    if (row.ended() && OutputLeft(target, row)) continue;  // its last output brings it back
    const bool is_news = row.state != target.told_state || row.attempt != target.told_attempt;
    // Growing output is seen by the output itself.
    if (!is_news && output_) continue;
    target.told_state = row.state;
    target.told_attempt = row.attempt;
    if (row.ended()) {
      target.done = true;
      ++done_;
    }
    Event event;
    *event.mutable_delivery() = ToProto(row, ports_.agents.Find(target.agent));
    return std::optional<Event>(std::move(event));
  }
  return std::optional<Event>();
}

Result<std::optional<Event>> Watch::NextOutput() {
  while (!outputs_.empty() && sent_bytes_ - consumed_bytes_ < kWatchCreditBytes) {
    const std::size_t index = outputs_.front();
    Target& target = targets_[index];
    outputs_.pop_front();
    HF_ASSIGN_OR_RETURN(const DeliveryRow row, Row(target));
    if (target.done || !OutputLeft(target, row)) {
      target.in_outputs = false;
      if (!target.done && row.ended()) Queue(index);
      if (!states_.empty()) break;
      continue;
    }
    Result<std::string> read = Read(target, row);
    const bool is_lost = read.ok() ? read.value().empty() : read.error().code == Code::kNotFound;
    if (is_lost && row.ended()) {
      // Nothing will replace it: its end is told without it, and does not fit what the agent signed.
      target.output_lost = true;
      target.in_outputs = false;
      Queue(index);
      break;
    }
    HF_ASSIGN_OR_RETURN(std::string data, std::move(read));
    if (data.empty()) {
      target.in_outputs = false;  // the turn that runs replaces it: comes back with its commit
      continue;
    }
    outputs_.push_back(index);  // round robin between targets
    Event event;
    auto& output = *event.mutable_output();
    output.set_agent_id(target.agent.str());
    output.set_attempt(target.attempt);
    output.set_offset(target.offset);
    target.offset += data.size();
    sent_bytes_ += data.size();
    output.set_data(std::move(data));
    return std::optional<Event>(std::move(event));
  }
  return std::optional<Event>();
}

Result<std::string> Watch::Read(const Target& target, const DeliveryRow& row) const {
  const std::uint64_t left = row.stored_bytes - target.offset;
  const std::uint64_t credit = kWatchCreditBytes - (sent_bytes_ - consumed_bytes_);
  const std::size_t want =
      static_cast<std::size_t>(std::min<std::uint64_t>({left, credit, kWatchPieceBytes}));
  switch (row.place) {
    case OutputPlace::kNone: return std::string();
    case OutputPlace::kInline:
      return ports_.store.ReadInline(row.digest, row.agent_id, target.offset, want);
    case OutputPlace::kIncoming:
      return ports_.files.Read({FileArea::kResults, row.output_name}, target.offset, want);
    case OutputPlace::kSealed:
      return ports_.files.ReadSealed(FileArea::kResults, row.output_sha256, target.offset, want);
  }
  HF_UNREACHABLE("place of an output");
}

}  // namespace holdfast::backend
