#include "backend/sdk/client.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backend/sdk/clock.h"
#include "backend/sdk/fleet_bundle.h"
#include "backend/sdk/server_url.h"
#include "common/base/bytes.h"

namespace holdfast::sdk {
namespace {

// An absent backend is told soon; one whose control is being started anew is waited for.
constexpr Duration kFirstDialPatience = std::chrono::seconds(2);
constexpr Duration kFirstPause(50);
constexpr int kMaxDoublings = 5;                // 50 ms .. 1.6 s
constexpr std::uint32_t kDefaultCommands = 50;  // api.proto, ListCommands
constexpr std::uint32_t kPage = 1000;           // api.proto
// Of 4 MiB credit (api.proto, Flow): give some back before it is used up.
constexpr std::uint64_t kFlowEveryBytes = std::uint64_t{1024} * 1024;
constexpr TimePoint kForever = TimePoint::max();

std::vector<std::string> ServerNames(const Fleet& fleet) {
  std::vector<std::string> names;
  std::vector<std::string> urls = fleet.toml.servers;
  urls.push_back(fleet.toml.api);
  for (const auto& url : urls) {
    const auto parsed = ServerUrl::Parse(url);  // checked when fleet.toml was read
    if (parsed.ok()) names.push_back(parsed.value().host);
  }
  return names;
}

std::string Lower(std::string_view hex) {
  std::string out(hex);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

bool IsHexDigits(std::string_view text) {
  return Lower(text).find_first_not_of("0123456789abcdef") == std::string::npos;
}

Error Unexpected() {
  return {Code::kCorrupt, "the server answers with something else than was asked for"};
}

Error InDoubt(const Error& error, const SignedCommand& command) {
  return {error.code, error.message + "\nThe command " + command.digest.hex().substr(0, 12) +
                          " may or may not have been accepted. It is kept, signed; send the same "
                          "bytes again (they are not run twice): holdfast pending --send"};
}

}  // namespace

Client::Client(const sign::Crypto& crypto, const Fleet& fleet, Options options)
    : crypto_(crypto), fleet_(fleet), options_(options), pending_(fleet.paths.pending()) {}

Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::Create(const sign::Crypto& crypto, const Fleet& fleet,
                                               const Operator& who, Options options) {
  std::unique_ptr<Client> client(new Client(crypto, fleet, options));
  ApiConnection::Options connection;
  connection.url = fleet.toml.api;
  connection.ca_pem = fleet.ca_pem;
  connection.session.fleet_id = fleet.toml.id;
  connection.session.server_names = ServerNames(fleet);
  connection.cancel_fd = options.cancel_fd;
  HF_ASSIGN_OR_RETURN(client->connection_,
                      ApiConnection::Create(crypto, who, std::move(connection)));
  return client;
}

Status Client::Open() {
  if (connection_->open()) return Ok();
  const TimePoint deadline = MonotonicNow() + options_.timeout;
  const TimePoint patience =
      was_open_ ? MonotonicNow() : std::min(deadline, MonotonicNow() + kFirstDialPatience);
  for (int attempt = 0;; ++attempt) {
    Status opened = connection_->Open(deadline);
    if (opened.ok()) break;
    // One that answers is not about to start. Of an open client the caller is the one who is patient.
    if (was_open_ || connection_->login_refused()) return opened;
    HF_TRY(BackOff(opened.error(), attempt, patience));
  }
  was_open_ = true;
  return Ok();
}

Status Client::BackOff(const Error& error, int attempt, TimePoint deadline) {
  const TimePoint now = MonotonicNow();
  if (error.code != Code::kUnavailable || now >= deadline) return error;
  const Duration most = kFirstPause * (1 << std::min(attempt, kMaxDoublings));
  // Half of it by chance: after a restart of control not everybody comes at once.
  const auto chance = crypto_.RandomBytes<FixedBytes<struct ChanceTag, 1>>();
  const Duration pause = most / 2 + most / 2 * static_cast<int>(*chance.data()) / 255;
  return connection_->Pause(std::min(now + pause, deadline));
}

Result<api::ServerMessage> Client::AskOnce(const api::ClientMessage& request, TimePoint deadline) {
  HF_TRY(Open());
  HF_ASSIGN_OR_RETURN(const std::uint64_t id, connection_->Send(request));
  for (;;) {
    HF_ASSIGN_OR_RETURN(auto reply, connection_->Receive(deadline));
    if (!reply) return Error{Code::kUnavailable, "the backend does not answer"};
    if (reply->id() == id) return std::move(*reply);
  }
}

Result<api::ServerMessage> Client::Ask(const api::ClientMessage& request) {
  const TimePoint deadline = MonotonicNow() + options_.timeout;
  for (int attempt = 0;; ++attempt) {
    auto reply = AskOnce(request, deadline);
    if (reply.ok() && reply.value().has_error()) return FromApi(reply.value().error());
    if (reply.ok()) return reply;
    if (!was_open_) return std::move(reply).error();
    HF_TRY(BackOff(reply.error(), attempt, deadline));
  }
}

Result<std::vector<api::Agent>> Client::Agents(api::ListAgents filter) {
  std::vector<api::Agent> agents;
  api::ClientMessage request;
  filter.set_limit(kPage);
  for (;;) {
    *request.mutable_list_agents() = filter;
    HF_ASSIGN_OR_RETURN(auto reply, Ask(request));
    if (!reply.has_agents()) return Unexpected();
    for (auto& agent : *reply.mutable_agents()->mutable_agents()) {
      agents.push_back(std::move(agent));
    }
    if (!reply.agents().more() || agents.empty()) return agents;
    if (agents.back().id() <= filter.after_id()) return Unexpected();  // or it would never end
    filter.set_after_id(agents.back().id());
  }
}

Result<std::vector<Target>> Client::ResolveTargets(const std::vector<TargetTerm>& terms) {
  std::vector<Target> targets;
  std::set<AgentId> seen;
  for (const auto& term : terms) {
    HF_ASSIGN_OR_RETURN(const auto candidates, Agents(FilterFor(term)));
    HF_ASSIGN_OR_RETURN(const auto found, SelectTargets(term, candidates));
    for (const auto& target : found) {
      if (seen.insert(target.id).second) targets.push_back(target);
    }
  }
  return targets;
}

Status Client::RemoveAgent(const AgentId& id) {
  api::ClientMessage request;
  request.mutable_remove_agent()->set_agent_id(id.str());
  HF_ASSIGN_OR_RETURN(const auto reply, Ask(request));
  return reply.has_agent_removed() ? Ok() : Unexpected();
}

Result<::holdfast::command::v1::Bundle> Client::CreateToken(const api::CreateToken& request) {
  // Before anything is asked: a directory that lacks something leaves no token behind.
  HF_ASSIGN_OR_RETURN(auto ours, FleetBundle(crypto_, fleet_, WallNow()));
  api::ClientMessage message;
  *message.mutable_create_token() = request;
  HF_ASSIGN_OR_RETURN(const auto reply, Ask(message));
  if (!reply.has_token_created()) return Unexpected();
  return WithToken(fleet_, std::move(ours), reply.token_created().bundle());
}

Result<api::Submitted> Client::Submit(const SignedCommand& command) {
  HF_TRY(Open());  // nothing was sent yet: an absent backend leaves nothing pending
  HF_TRY(pending_.Add(command));
  api::ClientMessage request;
  request.mutable_submit()->set_envelope(command.envelope);
  request.mutable_submit()->set_cert_envelope(command.cert_envelope);
  const TimePoint deadline = MonotonicNow() + options_.timeout;
  for (int attempt = 0;; ++attempt) {
    auto reply = AskOnce(request, deadline);
    if (!reply.ok()) {
      Status again = BackOff(reply.error(), attempt, deadline);
      if (again.ok()) continue;
      return InDoubt(again.error(), command);
    }
    if (LeavesInDoubt(reply.value())) return InDoubt(FromApi(reply.value().error()), command);
    // Answered, one way or the other: nothing is in doubt any more.
    HF_TRY(pending_.Remove(command.digest));
    if (reply.value().has_error()) return FromApi(reply.value().error());
    if (!reply.value().has_submitted()) return Unexpected();
    return std::move(*reply.value().mutable_submitted());
  }
}

Result<std::vector<api::CommandSummary>> Client::Commands(api::ListCommands request) {
  const std::size_t wanted = request.limit() == 0 ? kDefaultCommands : request.limit();
  std::vector<api::CommandSummary> found;
  std::set<std::string> seen;  // pages overlap by those of one millisecond
  for (;;) {
    api::ClientMessage message;
    request.set_limit(kPage);
    if (wanted < kPage) request.set_limit(static_cast<std::uint32_t>(wanted));
    *message.mutable_list_commands() = request;
    HF_ASSIGN_OR_RETURN(auto reply, Ask(message));
    if (!reply.has_commands()) return Unexpected();
    const std::size_t before = found.size();
    for (auto& command : *reply.mutable_commands()->mutable_commands()) {
      if (found.size() == wanted) return found;
      if (seen.insert(command.digest()).second) found.push_back(std::move(command));
    }
    if (found.size() == before || found.size() == wanted) return found;
    request.set_before_ms(found.back().accepted_ms() + 1);
  }
}

Result<api::CommandDetail> Client::Command(std::string_view digest_prefix) {
  const std::string shown(digest_prefix.substr(0, 80));
  // Bytes have two digits each: an odd last digit is not asked for, but compared here.
  auto bytes = FromHex(digest_prefix.substr(0, digest_prefix.size() / 2 * 2));
  const bool is_prefix = digest_prefix.size() <= 2 * Digest::kSize && IsHexDigits(digest_prefix);
  if (!is_prefix || !bytes.ok() || bytes.value().size() < 2) {
    return Error{Code::kInvalid, "'" + shown +
                                     "' is no job id: 4 to 64 hex digits; list them: "
                                     "holdfast jobs"};
  }
  const Error unknown{Code::kNotFound, "there is no job '" + shown + "'; list them: holdfast jobs"};
  api::ClientMessage message;
  message.mutable_get_command()->set_digest_prefix(bytes.value());
  auto asked = Ask(message);
  if (!asked.ok() && asked.error().code == Code::kNotFound) return unknown;
  if (!asked.ok()) return std::move(asked).error();
  api::ServerMessage reply = std::move(asked).value();
  if (!reply.has_command()) return Unexpected();
  const std::string& digest = reply.command().summary().digest();
  if (!digest.starts_with(bytes.value())) {
    return Error{Code::kCorrupt, "the backend answers with another job than was asked for"};
  }
  if (!ToHex(digest).starts_with(Lower(digest_prefix))) return unknown;
  return std::move(*reply.mutable_command());
}

Status Client::WatchOnce(const Digest& command, ResultTracker& tracker,
                         const FollowOptions& options, FollowSink& sink, TimePoint until) {
  HF_TRY(Open());
  api::ClientMessage request;
  request.mutable_watch()->set_digest(command.str());
  request.mutable_watch()->set_output(options.output == ResultTracker::Output::kWanted);
  for (auto& position : tracker.Positions()) {
    *request.mutable_watch()->add_from() = std::move(position);
  }
  HF_ASSIGN_OR_RETURN(const std::uint64_t id, connection_->Send(std::move(request)));
  if (options.side != nullptr) options.side->OnConnected();
  std::uint64_t unreported_bytes = 0;
  while (!tracker.finished()) {
    const TimePoint now = MonotonicNow();
    if (now >= until) return Ok();
    TimePoint next = options.tick.count() > 0 ? std::min(until, now + options.tick) : until;
    if (options.side != nullptr) {
      while (auto typed = options.side->NextRequest(now)) {
        HF_TRY(connection_->Send(*std::move(typed)));
      }
      next = std::min(next, options.side->NextDeadline());
    }
    HF_ASSIGN_OR_RETURN(const auto reply, connection_->Receive(next));
    if (!reply) {
      sink.OnTick();
      continue;
    }
    if (reply->id() != id) continue;  // of a request given up before
    if (reply->has_error()) return FromApi(reply->error());
    if (!reply->has_watch_event()) return Unexpected();
    HF_TRY(tracker.OnEvent(reply->watch_event(), sink));
    unreported_bytes += reply->watch_event().output().data().size();
    if (unreported_bytes < kFlowEveryBytes) continue;
    api::ClientMessage flow;
    flow.mutable_flow()->set_watch_id(id);
    flow.mutable_flow()->set_consumed_bytes(std::exchange(unreported_bytes, 0));
    HF_TRY(connection_->Send(std::move(flow)));
  }
  return Ok();
}

Result<Client::Followed> Client::Follow(const Digest& command, const std::vector<AgentId>& targets,
                                        const FollowOptions& options, FollowSink& sink) {
  ResultTracker tracker(crypto_, command, targets, options.output);
  const TimePoint until = options.wait ? MonotonicNow() + *options.wait : kForever;
  TimePoint give_up = kForever;
  for (int attempt = 0;; ++attempt) {
    const std::uint64_t before = tracker.events();
    Status watched = WatchOnce(command, tracker, options, sink, until);
    if (watched.ok()) return tracker.finished() ? Followed::kFinished : Followed::kTimeUp;
    if (attempt == 0 || tracker.events() > before) {  // it served: the patience begins anew
      attempt = 0;
      give_up = MonotonicNow() + options.patience.value_or(options_.timeout);
    }
    if (!was_open_) return std::move(watched).error();
    if (options.side != nullptr) options.side->OnLost(watched.error());
    HF_TRY(BackOff(watched.error(), attempt, give_up));
  }
}

Status Client::Audit(std::uint64_t after_seq, const std::string& digest,
                     const std::function<Status(const api::AuditRecord&)>& each) {
  for (;;) {
    api::ClientMessage request;
    request.mutable_list_audit()->set_after_seq(after_seq);
    request.mutable_list_audit()->set_limit(kPage);
    request.mutable_list_audit()->set_digest(digest);
    HF_ASSIGN_OR_RETURN(const auto reply, Ask(request));
    if (!reply.has_audit()) return Unexpected();
    for (const auto& record : reply.audit().records()) {
      if (record.seq() <= after_seq) return Unexpected();  // or it would never end
      after_seq = record.seq();
      HF_TRY(each(record));
    }
    if (!reply.audit().more() || reply.audit().records().empty()) return Ok();
  }
}

}  // namespace holdfast::sdk
