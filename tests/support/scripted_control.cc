// RunControl of a control that knows every agent: grants each Claim, answers each Sync, acknowledges
// each record. For tests and figures of the gateway alone; linked as holdfastd_scripted.
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <ev.h>

#include "backend/adapters/hiredis/redis_streams.h"
#include "backend/adapters/linux/log_writer.h"
#include "backend/adapters/linux/worker_process.h"
#include "backend/control/control_main.h"
#include "holdfast/command/v1/envelope.pb.h"
#include "holdfast/command/v1/trust.pb.h"
#include "holdfast/link/v1/link.pb.h"
#include "holdfast/route/v1/route.pb.h"

namespace holdfast::backend {
namespace {

namespace link_pb = ::holdfast::link::v1;
namespace route = ::holdfast::route::v1;

class ScriptedControl final : public WorkerProcessDelegate, public StreamTransportDelegate {
 public:
  ScriptedControl(struct ev_loop* loop, const Config& config, const WorkerIdentity& identity)
      : loop_(loop), identity_(identity), log_(identity.slot, config.log_level) {
    auto started = WorkerProcess::Start(loop, *this);
    HF_CHECK(started.ok());
    worker_ = std::move(started).value();
    streams_.emplace(loop,
                     RedisStreams::Options{config.redis_address(), ControlStream(identity.instance),
                                           &worker_->counters(), identity.redis},
                     *this);
    worker_->SendReady();
  }

 private:
  void OnWorkerMessage(WorkerMessageType type, std::string_view, UniqueFd) override {
    if (type == WorkerMessageType::kDrain) ev_break(loop_, EVBREAK_ALL);
  }
  void OnTurnStart() override {}
  void OnTurnEnd() override {}
  void OnSecond() override {
    if (!cursor_.empty()) streams_->Trim(ControlStream(identity_.instance), cursor_);
  }
  void OnLost(const Error&) override {}
  void OnRestored() override {}
  void OnBatchEnd() override {}

  void OnEntry(std::string_view id, std::string_view message) override {
    cursor_ = id;
    route::ToControl entry;
    if (!entry.ParseFromArray(message.data(), static_cast<int>(message.size()))) return;
    if (entry.has_claim()) Grant(entry.gateway(), entry.claim());
    if (entry.has_from_agent()) Acknowledge(entry.gateway(), entry.from_agent());
    if (entry.has_gateway_up() && !entry.gateway_up().cursor().empty()) {
      streams_->Trim(GatewayStream(entry.gateway()), entry.gateway_up().cursor());
    }
  }

  void Send(const std::string& gateway, route::ToGateway& message) {
    message.set_control(identity_.instance);
    static_cast<void>(streams_->Add(GatewayStream(gateway), message.SerializeAsString()));
  }

  void Grant(const std::string& gateway, const route::Claim& claim) {
    ::holdfast::command::v1::Envelope envelope;
    ::holdfast::command::v1::AgentHello hello;
    if (!envelope.ParseFromString(claim.hello_envelope()) ||
        !hello.ParseFromString(envelope.payload())) {
      return;
    }
    route::ToGateway message;
    route::ClaimAnswer& answer = *message.mutable_claim_answer();
    answer.set_link_ref(claim.link_ref());
    answer.set_agent_id(hello.agent_id());
    answer.set_epoch(hello.conn_epoch());
    answer.set_granted(true);
    answer.set_contact(std::string(16, 'c'));
    Send(gateway, message);
  }

  void Acknowledge(const std::string& gateway, const route::FromAgent& from) {
    std::map<std::string, link_pb::Ack> acks;
    for (const std::string& bytes : from.frames()) {
      link_pb::Frame frame;
      if (!frame.ParseFromString(bytes) || !frame.has_up()) continue;
      link_pb::Ack& ack = acks[frame.up().digest()];
      ack.set_digest(frame.up().digest());
      ack.set_attempt(frame.up().attempt());
      ack.set_next_seq(frame.up().seq() + 1);
      ack.set_window_bytes(4 * 1024 * 1024);
      ack.set_complete(frame.up().has_final());
      worker_->counters().Add(Counter::kStoredBytes, frame.up().chunk().data().size());
    }
    if (acks.empty()) return;
    route::ToGateway message;
    message.mutable_send()->add_agent_ids(from.agent_id());
    for (auto& [digest, ack] : acks) {
      link_pb::Frame frame;
      *frame.mutable_ack() = std::move(ack);
      message.mutable_send()->add_frames(frame.SerializeAsString());
    }
    Send(gateway, message);
  }

  struct ev_loop* const loop_;
  const WorkerIdentity identity_;
  const LogWriter log_;
  std::unique_ptr<WorkerProcess> worker_;
  std::optional<RedisStreams> streams_;
  std::string cursor_;
};

}  // namespace

int RunControl(const Config& config, const WorkerIdentity& identity) {
  struct ev_loop* const loop = ev_default_loop(EVFLAG_AUTO);
  ScriptedControl control(loop, config, identity);
  ev_run(loop, 0);
  return 0;
}

}  // namespace holdfast::backend
