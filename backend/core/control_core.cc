#include "backend/core/control_core.h"

#include <algorithm>
#include <utility>

#include "common/link/codec.h"

namespace holdfast::backend {
namespace {

// Names of instances become names of streams: nothing but what ours are made of.
bool IsInstanceName(std::string_view name) {
  constexpr std::size_t kMaxInstanceBytes = 128;  // a host name of 64, slot, nonce
  return !name.empty() && name.size() <= kMaxInstanceBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

}  // namespace

ControlCore::ControlCore(Options options, Ports ports)
    : options_(std::move(options)),
      ports_(ports),
      audit_(ports.crypto),
      ledger_(options_.ledger, audit_),
      tokens_(options_.tokens, ports.store, ports.crypto),
      sessions_(options_.sessions, ports.crypto, agents_, tokens_, audit_),
      dispatcher_(options_.dispatcher, ledger_, sessions_),
      results_(options_.results, {ports.store, ports.files, ports.crypto, agents_, ledger_,
                                  dispatcher_, audit_, ports.counters}),
      blobs_(options_.blobs, ports.files, ledger_),
      rollouts_(ledger_, ports.store) {}

Result<bool> ControlCore::LoadMore() {
  switch (loaded_++) {
    case 0: HF_TRY(audit_.Load(ports_.store)); return true;
    case 1: HF_TRY(agents_.Load(ports_.store)); return true;
    default: HF_TRY(ledger_.Load(ports_.store)); return false;
  }
}

// --- from gateways --------------------------------------------------------------------------------

void ControlCore::OnEntry(std::string_view id, std::string_view bytes, Moment now) {
  last_entry_ = id;
  route::v1::ToControl message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      !IsInstanceName(message.gateway())) {
    ++figures_.dropped_frames;
    return;
  }
  const std::string& gateway = message.gateway();
  if (message.has_from_agent()) {
    OnFromAgent(gateway, message.from_agent(), now);
  } else if (message.has_gateway_up()) {
    sessions_.OnGatewayUp(gateway, message.gateway_up(), now);
    room_.OnHandled(gateway, message.gateway_up().handled_bytes(), now.at);
  } else if (message.has_claim()) {
    sessions_.OnClaim(gateway, message.claim(), now);
  } else if (message.has_link_closed()) {
    sessions_.OnLinkClosed(gateway, message.link_closed(), now);
  } else if (message.has_links()) {
    sessions_.OnLinks(gateway, message.links(), now);
  }
}

void ControlCore::OnFromAgent(const std::string& gateway, const route::v1::FromAgent& from,
                              Moment now) {
  const auto agent = AgentId::From(from.agent_id());
  if (!agent || !sessions_.OnFrames(gateway, *agent, from.epoch(), now)) {
    figures_.dropped_frames += static_cast<std::uint64_t>(from.frames_size());
    return;
  }
  for (const std::string& bytes : from.frames()) {
    Result<link::Frame> frame = link::DecodeFrame(bytes, link::Direction::kUp);
    if (!frame.ok()) {
      ++figures_.dropped_frames;
      continue;
    }
    OnFrame(gateway, *agent, std::move(frame).value(), now);
  }
}

// Identity is what the session proved; what a frame names can only be a command for this agent.
void ControlCore::OnFrame(const std::string& gateway, const AgentId& agent, link::v1::Frame frame,
                          Moment now) {
  (void)gateway;
  if (frame.has_up()) {
    const AtHandScope at_hand(ports_.counters, agent,
                              Digest::From(frame.up().digest()).value_or(Digest()));
    results_.OnUp(agent, std::move(*frame.mutable_up()), now);
  } else if (frame.has_sync()) {
    results_.OnSync(agent, frame.sync(), now);
  } else if (frame.has_blob_request()) {
    blobs_.Ask(agent, frame.blob_request());
  }
}

void ControlCore::OnTransport(bool connected, Moment now) {
  connected_ = connected;
  sessions_.OnTransport(connected, now);
  Log(LogLine(LogLevel::kInfo, connected ? "redis_connected" : "redis_lost"));
}

void ControlCore::OnFileDone(FileDone done, Moment now) {
  if (!done.status.ok()) {
    Log(LogLine(LogLevel::kWarn, "file_failed").Err(done.status.error()));
  }
  if (done.file.area == FileArea::kBlobs) {
    blobs_.OnFileDone(std::move(done));
  } else {
    results_.OnFileDone(std::move(done), now);
  }
}

void ControlCore::OnPoison(const DeliveryKey& key) {
  if (key.agent == AgentId()) {
    for (const AgentId& agent : ledger_.OpenTargetsOf(key.digest)) {
      poison_.push_back({key.digest, agent});
    }
  } else {
    poison_.push_back(key);
  }
  Log(LogLine(LogLevel::kError, "command_set_aside")
          .Id("digest", key.digest.hex())
          .Id("agent", key.agent.hex()));
}

void ControlCore::OnTick(Moment now) {
  sessions_.OnTick(now, wants_reading_);
  for (auto& [connection, session] : api_) session->OnTick(now);
  if (now.at - swept_at_ >= options_.sweep) {
    swept_at_ = now.at;
    for (const Digest& halted : rollouts_.Judge(now)) {
      Log(LogLine(LogLevel::kWarn, "rollout_halted").Id("digest", halted.hex()));
    }
    dispatcher_.OnSweep();
    ledger_.SweepExpired(now);
  }
  if (now.at - forgot_at_ >= options_.forget_sweep) {
    forgot_at_ = now.at;
    ledger_.SweepForgotten(now, [this, now](const AgentId& agent) {
      if (sessions_.online(agent)) return now.wall_ms();
      const AgentRow* row = agents_.Find(agent);
      return row == nullptr ? std::uint64_t{0} : row->last_seen_ms;
    });
  }
}

// --- the API --------------------------------------------------------------------------------------

bool ControlCore::OnApiOpened(std::uint64_t connection, std::string peer, Moment now) {
  if (api_.size() >= options_.api_connections) return false;
  const ApiPorts ports{ports_.settings, ports_.crypto, ports_.trust, ports_.store, ports_.files,
                       agents_,         ledger_,       sessions_,    dispatcher_,  tokens_,
                       audit_,          blobs_,        revoked_,     typed_};
  api_.emplace(connection,
               std::make_unique<ApiSession>(options_.api, ports, connection, std::move(peer), now));
  figures_.api_connections = api_.size();
  return true;
}

void ControlCore::OnApiMessage(std::uint64_t connection, std::string_view bytes, Moment now) {
  const auto found = api_.find(connection);
  if (found == api_.end()) return;
  ApiSession& session = *found->second;
  const std::uint64_t accepted = session.accepted();
  const std::uint64_t refused = session.refused();
  session.OnMessage(bytes, now);
  figures_.commands_accepted += session.accepted() - accepted;
  figures_.submits_refused += session.refused() - refused;
}

std::size_t ControlCore::ApiMaxMessageBytes(std::uint64_t connection) const {
  const auto found = api_.find(connection);
  return found == api_.end() ? 0 : found->second->max_message_bytes();
}

void ControlCore::OnApiClosed(std::uint64_t connection) {
  const auto found = api_.find(connection);
  if (found == api_.end()) return;
  api_.erase(found);
  figures_.api_connections = api_.size();
}

std::optional<std::string> ControlCore::NextApiMessage(std::uint64_t connection) {
  const auto found = api_.find(connection);
  return found == api_.end() ? std::nullopt : found->second->NextMessage();
}

std::vector<std::uint64_t> ControlCore::TakeApiReady() {
  std::vector<std::uint64_t> out;
  for (const auto& [connection, session] : api_) {
    if (session->wants_write() || session->closing()) out.push_back(connection);
  }
  return out;
}

bool ControlCore::ApiHasMessages(std::uint64_t connection) const {
  const auto found = api_.find(connection);
  return found != api_.end() && found->second->wants_write();
}

std::optional<std::string> ControlCore::ApiClosing(std::uint64_t connection) const {
  const auto found = api_.find(connection);
  return found == api_.end() ? std::nullopt : found->second->closing();
}

std::optional<Duration> ControlCore::turn_due_in() const {
  if (!results_.has_work()) return std::nullopt;
  return options_.results.receipt_delay;
}

// --- outputs --------------------------------------------------------------------------------------

std::optional<RouteOut> ControlCore::NextOut() {
  if (out_.empty()) return std::nullopt;
  RouteOut out = std::move(out_.front());
  out_.pop_front();
  return out;
}

void ControlCore::Log(LogLine line) {
  if (logs_.size() < options_.max_log_lines) logs_.push_back(std::move(line));
}

std::vector<LogLine> ControlCore::TakeLogs() { return std::exchange(logs_, {}); }

}  // namespace holdfast::backend
