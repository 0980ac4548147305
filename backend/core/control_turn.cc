// ControlCore, second part: the turn. One commit, then everything that it made true.
#include <algorithm>
#include <utility>

#include "backend/core/control_core.h"

namespace holdfast::backend {
namespace {

// What a turn brings may bring more (a claim: its commands). The rest waits for the next turn.
constexpr int kMaxPasses = 8;
// An entry of the stream must not pass kMaxEntryBytes; BlobData and Ack frames are added up to here.
constexpr std::size_t kMaxFrameBytes = std::size_t{320} * 1024;

}  // namespace

void ControlCore::EndTurn(Moment now) {
  blobs_.BeginTurn();
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    BeforeCommit(now);
    if (!changed()) {
      // Nothing to make durable: answers that only read may leave.
      poison_.clear();      // it is over already, or not ours
      sessions_.Keep(now);  // a claim that came again
      results_.Keep();
      for (auto& [connection, session] : api_) session->Keep();
      Emit(now);
      if (sessions_.has_news()) continue;
      break;
    }
    Status status = WriteAll();
    if (status.ok()) status = ports_.store.Commit();
    if (!status.ok()) {
      ports_.store.Rollback();
      AfterFailure(status.error(), now);
      Emit(now);
      break;
    }
    AfterCommit(now);
    Emit(now);
  }
  if (!last_entry_.empty()) {
    out_.push_back({RouteOut::Kind::kTrim, {}, std::exchange(last_entry_, {})});
  }
  const std::size_t pending = results_.pending_bytes();
  if (pending > options_.max_pending_bytes) wants_reading_ = false;
  if (pending < options_.max_pending_bytes / 2) wants_reading_ = true;
  figures_.stored_bytes = results_.stored_bytes();
  if (results_.strange_refusals() != figures_.strange_refusals) {
    figures_.strange_refusals = results_.strange_refusals();
    Log(LogLine(LogLevel::kWarn, "agent_refused_what_control_never_sent")
            .Num("total", static_cast<std::int64_t>(figures_.strange_refusals)));
  }
  figures_.links = sessions_.links();
}

void ControlCore::BeforeCommit(Moment now) {
  for (const AgentId& agent : sessions_.lost_journals()) {
    results_.OnJournalLost(agent);
    ledger_.EndAllOf(
        agent,
        {::holdfast::command::v1::OUTCOME_INTERRUPTED,
         ::holdfast::command::v1::COMMAND_FAILURE_JOURNAL_LOST,
         "the agent's journal was lost or set back: what it did with the command is not known",
         {}},
        /*only_sent=*/true, now);
  }
  for (const DeliveryKey& key : poison_) {
    results_.SetAside(key,
                      {::holdfast::command::v1::OUTCOME_FAILED,
                       ::holdfast::command::v1::COMMAND_FAILURE_POISON,
                       "set aside: processes of the backend died over it three times",
                       {}},
                      now);
  }
  for (const Blobs::Reply& reply : blobs_.TakeReplies()) {
    const auto found = api_.find(reply.to.connection);
    if (found != api_.end()) found->second->Answer(reply.to.id, reply.progress);
  }
  HearNews(now);
  if (connected_) Plan(now);
  if (!changed() && results_.MayWait(now)) return;
  results_.Advance(now);
  if (connected_) Plan(now);  // receipts have made room
}

void ControlCore::Plan(Moment now) {
  dispatcher_.Plan(now);
  for (const DeliveryKey& key : dispatcher_.TakeQuestions()) results_.Ask(key);
}

void ControlCore::HearNews(Moment now) {
  for (const Sessions::News& news : sessions_.TakeNews()) {
    if (news.online) {
      dispatcher_.OnDue(news.agent);
      if (news.resumed) {
        dispatcher_.OnResumed(news.agent);
        results_.OnResumed(news.agent);
      }
      if (news.again) continue;
      Log(LogLine(LogLevel::kInfo, "agent_online").Id("agent", news.agent.hex()));
    } else {
      results_.OnOffline(news.agent);
      Log(LogLine(LogLevel::kInfo, "agent_offline").Id("agent", news.agent.hex()));
    }
  }
  (void)now;
}

Status ControlCore::WriteAll() {
  HF_TRY(agents_.WriteChanges(ports_.store));
  HF_TRY(ledger_.WriteChanges(ports_.store));
  return audit_.Write(ports_.store);
}

void ControlCore::AfterCommit(Moment now) {
  audit_.Keep();
  agents_.Keep();
  poison_.clear();
  for (const AgentId& agent : std::exchange(revoked_, {})) sessions_.Revoke(agent, now);
  sessions_.Keep(now);
  std::vector<DeliveryKey> ended;
  for (const auto& key : ledger_.ChangedKeys()) {
    // A late stream changes a row that had ended before, and goes on.
    const DeliveryRow* before = ledger_.Committed(key);
    const bool had_ended = before != nullptr && before->ended();
    if (ledger_.Find(key)->ended() && !had_ended) ended.push_back(key);
  }
  const std::vector<DeliveryKey> changed = ledger_.Keep();
  for (const DeliveryKey& key : ended) {
    dispatcher_.OnEnded(key);
    results_.OnEnded(key);
    ++figures_.commands_ended;
  }
  results_.Keep();
  for (auto& [connection, session] : api_) {
    session->Keep();
    for (const DeliveryKey& key : changed) session->OnChanged(key);
  }
}

void ControlCore::AfterFailure(const Error& why, Moment now) {
  ++figures_.failed_commits;
  // Each turn fails while the store is away, dozens in a second: the log must not fill a disk over it.
  constexpr std::chrono::seconds kLogPause{5};
  if (!failure_logged_at_ || now.at - *failure_logged_at_ >= kLogPause) {
    failure_logged_at_ = now.at;
    Log(LogLine(LogLevel::kError, "commit_failed")
            .Num("failed", static_cast<std::int64_t>(figures_.failed_commits))
            .Err(why));
  }
  audit_.Undo();
  agents_.Undo();
  revoked_.clear();
  sessions_.Undo();
  dispatcher_.Undo();
  ledger_.Undo();
  results_.Undo(now);  // goes back to what the ledger says now
  for (auto& [connection, session] : api_) session->Undo();
}

// --- what leaves ----------------------------------------------------------------------------------

void ControlCore::Add(const std::string& gateway, route::v1::ToGateway message, Moment now) {
  message.set_control(options_.instance);
  message.set_sent_bytes(room_.OnSend(gateway, message.ByteSizeLong(), now.at));
  out_.push_back({RouteOut::Kind::kAdd, gateway, message.SerializeAsString()});
}

void ControlCore::AddFrames(const std::string& gateway, const AgentId& agent,
                            const std::vector<std::string>& frames, std::string_view digest,
                            Moment now) {
  route::v1::ToGateway message;
  std::size_t bytes = 0;
  for (const std::string& frame : frames) {
    auto& send = *message.mutable_send();
    if (send.frames_size() > 0 &&
        (send.frames_size() >= static_cast<int>(options_.frames_per_entry) ||
         bytes + frame.size() > kMaxFrameBytes)) {
      send.add_agent_ids(agent.str());
      send.set_digest(std::string(digest));
      Add(gateway, std::exchange(message, {}), now);
      bytes = 0;
    }
    message.mutable_send()->add_frames(frame);
    bytes += frame.size();
  }
  message.mutable_send()->add_agent_ids(agent.str());
  message.mutable_send()->set_digest(std::string(digest));
  Add(gateway, std::move(message), now);
}

void ControlCore::Emit(Moment now) {
  for (Sessions::Answer& answer : sessions_.TakeAnswers()) {
    Add(answer.gateway, std::move(answer.message), now);
  }
  std::map<AgentId, std::vector<std::string>> frames;
  for (Results::AckOut& ack : results_.TakeAcks(now)) {
    link::v1::Frame frame;
    *frame.mutable_ack() = std::move(ack.ack);
    frames[ack.agent].push_back(frame.SerializeAsString());
  }
  for (const auto& [agent, list] : frames) {
    const LinkAt* link = sessions_.FindLink(agent);
    if (link != nullptr) AddFrames(link->gateway(), agent, list, {}, now);
  }
  EmitTyped(now);
  EmitBlobs(now);
  EmitSends(now);
  for (Sessions::Housekeeping& work : sessions_.TakeHousekeeping()) {
    const bool gone = work.trim_to.empty();
    if (gone) room_.OnGone(work.gateway);
    out_.push_back({gone ? RouteOut::Kind::kRemove : RouteOut::Kind::kTrim, std::move(work.gateway),
                    std::move(work.trim_to)});
  }
}

// Where there is no link, or no room, it is dropped: it comes again.
void ControlCore::EmitTyped(Moment now) {
  for (const TypedInput& typed : std::exchange(typed_, {})) {
    const LinkAt* link = sessions_.FindLink(typed.agent);
    if (link == nullptr || !room_.HasRoom(link->gateway(), now.at)) continue;
    AddFrames(link->gateway(), typed.agent, typed.frames, typed.digest.view(), now);
  }
}

void ControlCore::EmitBlobs(Moment now) {
  const auto has_room = [this, now](const AgentId& agent) {
    const LinkAt* link = sessions_.FindLink(agent);
    return link == nullptr || room_.HasRoom(link->gateway(), now.at);
  };
  while (auto blob = blobs_.NextData(has_room)) {
    const LinkAt* link = sessions_.FindLink(blob->agent);
    if (link == nullptr) continue;
    link::v1::Frame frame;
    *frame.mutable_blob_data() = std::move(blob->data);
    AddFrames(link->gateway(), blob->agent, {frame.SerializeAsString()}, frame.blob_data().digest(),
              now);
  }
}

void ControlCore::EmitSends(Moment now) {
  for (const Dispatcher::Send& send : dispatcher_.TakeSends()) {
    const CommandRow* command = ledger_.FindCommand(send.digest);
    if (command == nullptr) continue;  // it ended in the very turn that sent it again
    link::v1::Frame frame;
    frame.mutable_deliver()->set_envelope(command->envelope);
    frame.mutable_deliver()->set_cert_envelope(command->cert_envelope);
    route::v1::ToGateway message;
    message.mutable_send()->add_frames(frame.SerializeAsString());
    message.mutable_send()->set_digest(send.digest.str());
    for (const AgentId& agent : send.agents) message.mutable_send()->add_agent_ids(agent.str());
    if (send.repeat) figures_.sweeper_sends += send.agents.size();
    Add(send.gateway, std::move(message), now);
  }
}

}  // namespace holdfast::backend
