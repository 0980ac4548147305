// SimAnalyst: one API client: logs in, submits, repeats what was not answered, watches everything
// with output, and takes up its watches where they were when the connection is lost.
//
// Threading: thread-compatible.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "holdfast/api/v1/api.pb.h"
#include "tests/support/test_fleet.h"

namespace holdfast::testing {

class SimAnalyst {
 public:
  SimAnalyst(const sign::Crypto& crypto, const TestFleet& fleet) : crypto_(crypto), fleet_(fleet) {}

  // What was seen of one target of one command.
  struct Seen {
    api::v1::DeliveryState state{};
    pb::Outcome outcome{};
    pb::CommandFailure failure{};
    std::uint32_t attempt = 0;
    std::string output;
    int endings = 0;  // different ones: more than one is a broken promise
  };
  struct Job {
    std::string envelope;
    bool accepted = false;
    bool finished = false;
    std::uint64_t watch = 0;
    std::map<AgentId, Seen> targets;
  };

  void OnConnected() {
    out_.clear();
    open_.clear();
    logged_in_ = false;
    for (auto& [digest, job] : jobs_) job.watch = 0;
  }
  Digest Submit(const pb::Command& command) {
    const std::string envelope = fleet_.Sign(command);
    const Digest digest =
        sign::EnvelopeDigest(crypto_, sign::kCommandType, command.SerializeAsString());
    jobs_[digest].envelope = envelope;
    if (logged_in_) SendSubmit(digest);
    return digest;
  }
  // Another analyst takes over, who has not seen what was.
  void ForgetAll() {
    jobs_.clear();
    OnConnected();
  }
  // Sends again what is still open: the same bytes.
  void Repeat() {
    if (!logged_in_) return Login(hello_);
    for (auto& [digest, job] : jobs_) {
      if (!job.accepted) {
        SendSubmit(digest);
      } else if (job.watch == 0) {
        StartWatch(digest);
      }
    }
  }
  void OnMessage(const std::string& bytes) {
    api::v1::ServerMessage message;
    HF_CHECK(message.ParseFromString(bytes));
    if (message.has_hello()) {
      hello_ = message.hello();
      return Login(hello_);
    }
    if (message.has_login_ok()) {
      logged_in_ = true;
      for (auto& [digest, job] : jobs_) job.accepted ? StartWatch(digest) : SendSubmit(digest);
    } else if (message.has_submitted()) {
      const Digest digest = *Digest::From(message.submitted().digest());
      Job& job = jobs_.at(digest);
      job.accepted = true;
      if (job.watch == 0) StartWatch(digest);
    } else if (message.has_error()) {
      errors_.push_back(message.error().code());
      const auto watched = open_.find(message.id());
      if (watched != open_.end()) jobs_.at(watched->second).watch = 0;
    } else if (message.has_watch_event()) {
      OnEvent(message.id(), message.watch_event());
    }
  }
  std::vector<std::string> TakeMessages() {
    std::vector<std::string> out;
    for (const auto& message : std::exchange(out_, {})) out.push_back(message.SerializeAsString());
    return out;
  }
  const std::map<Digest, Job>& jobs() const { return jobs_; }
  const std::vector<api::v1::ApiCode>& errors() const { return errors_; }
  bool logged_in() const { return logged_in_; }

 private:
  api::v1::ClientMessage& Add() {
    out_.emplace_back().set_id(++next_id_);
    return out_.back();
  }
  void Login(const api::v1::ServerHello& hello) {
    pb::Login login;
    login.set_fleet_id(fleet_.fleet_id.str());
    login.set_server_name(hello.server_name());
    login.set_challenge(hello.challenge());
    login.set_operator_serial(fleet_.serial);
    auto& request = *Add().mutable_login();
    request.set_envelope(sign::SignEnvelope(crypto_, *fleet_.operator_key, sign::kLoginType,
                                            login.SerializeAsString())
                             .value());
    request.set_cert_envelope(fleet_.Sign(fleet_.GoodCert()));
  }
  void SendSubmit(const Digest& digest) {
    auto& submit = *Add().mutable_submit();
    submit.set_envelope(jobs_.at(digest).envelope);
    submit.set_cert_envelope(fleet_.Sign(fleet_.GoodCert()));
  }
  void StartWatch(const Digest& digest) {
    Job& job = jobs_.at(digest);
    if (job.finished) return;
    auto& message = Add();
    auto& watch = *message.mutable_watch();
    watch.set_digest(digest.str());
    watch.set_output(true);
    for (const auto& [agent, seen] : job.targets) {
      auto& from = *watch.add_from();
      from.set_agent_id(agent.str());
      from.set_attempt(seen.attempt);
      from.set_offset(seen.output.size());
    }
    job.watch = message.id();
    open_[message.id()] = digest;
  }
  void OnEvent(std::uint64_t id, const api::v1::WatchEvent& event) {
    Job& job = jobs_.at(open_.at(id));
    if (event.has_finished()) {
      job.finished = true;
    } else if (event.has_delivery()) {
      const auto& delivery = event.delivery();
      Seen& seen = job.targets[*AgentId::From(delivery.agent_id())];
      const bool ended = delivery.state() == api::v1::DELIVERY_STATE_ENDED;
      if (ended && (seen.endings == 0 || seen.outcome != delivery.outcome() ||
                    seen.failure != delivery.failure())) {
        ++seen.endings;
      }
      if (seen.endings > 0) HF_CHECK(ended);  // a terminal state is terminal
      seen.state = delivery.state();
      seen.outcome = delivery.outcome();
      seen.failure = delivery.failure();
    } else {
      const auto& output = event.output();
      Seen& seen = job.targets[*AgentId::From(output.agent_id())];
      if (output.attempt() != seen.attempt) {
        seen.attempt = output.attempt();
        seen.output.clear();
      }
      HF_CHECK(output.offset() == seen.output.size());  // no gap, no repetition
      seen.output += output.data();
      auto& flow = *Add().mutable_flow();
      flow.set_watch_id(id);
      flow.set_consumed_bytes(output.data().size());
    }
  }

  const sign::Crypto& crypto_;
  const TestFleet& fleet_;
  bool logged_in_ = false;
  api::v1::ServerHello hello_;
  std::uint64_t next_id_ = 0;
  std::map<Digest, Job> jobs_;
  std::map<std::uint64_t, Digest> open_;  // watches
  std::vector<api::v1::ClientMessage> out_;
  std::vector<api::v1::ApiCode> errors_;
};

}  // namespace holdfast::testing
