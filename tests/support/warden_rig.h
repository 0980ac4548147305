// WardenRig: a Warden on fakes, with a fleet that signs for it and a scripted server at the other end.
//
//   WardenRig rig;  rig.Open();  rig.Deliver(rig.Query());  rig.Output(...)  rig.Exit(...)  rig.ups()
//
// Threading: thread-compatible.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/link_framer.h"
#include "agent/core/warden.h"
#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "common/link/codec.h"
#include "common/sign/strict.h"
#include "tests/support/cheap_crypto.h"
#include "tests/support/fake_fence.h"
#include "tests/support/fake_journal.h"
#include "tests/support/fake_spool.h"
#include "tests/support/fake_update_file.h"
#include "tests/support/test_fleet.h"

namespace holdfast::testing {

class FakeWorkers final : public agent::Workers {
 public:
  // Told of each start before it counts; false: the process is dead and starts nothing.
  std::function<bool(const agent::WorkerStart&)> on_spawn;
  Status Spawn(const agent::WorkerStart& start) override {
    if (on_spawn && !on_spawn(start)) return Error{Code::kUnavailable, "the power is off"};
    if (refuse_next > 0) {
      --refuse_next;
      return Error{Code::kUnavailable, "no more processes"};
    }
    started.push_back(start);
    return Ok();
  }
  bool Input(agent::WorkerId id, std::string_view frame) override {
    if (input_is_full) return false;
    inputs.emplace_back(id, std::string(frame));
    return true;
  }
  void Kill(agent::WorkerId id) override { killed.push_back(id); }
  bool was_killed(agent::WorkerId id) const {
    return std::find(killed.begin(), killed.end(), id) != killed.end();
  }
  std::vector<agent::WorkerStart> started;
  std::vector<agent::WorkerId> killed;
  int refuse_next = 0;
  std::vector<std::pair<agent::WorkerId, std::string>> inputs;
  bool input_is_full = false;
};

class WardenRig {
 public:
  using Up = ::holdfast::link::v1::Up;

  explicit WardenRig(std::uint32_t seed = 1)
      : hashing(NewMbedtlsCrypto()),
        crypto(*hashing, seed),
        fleet(crypto),
        key(crypto.GenerateKey().value()),
        trust(fleet.Trust(WidePolicy())) {
    disk.meta.incarnation = *Nonce16::From(std::string(16, 'i'));
    disk.meta.birth = WallTime(kNowMs - kHourMs);
    fleet.agent = sign::AgentIdOf(crypto, key->public_key());
    cert = fleet.Sign(WideCert());
    Start();
  }

  // --- the agent's life ---
  void Start() {
    workers.started.clear();
    workers.killed.clear();
    journal = std::make_unique<FakeJournal>(disk);
    spool = std::make_unique<FakeSpool>(spool_disk);
    agent::Identity identity;
    identity.id = fleet.agent;
    warden =
        std::make_unique<agent::Warden>(agent::Parts{crypto, *key, trust, *journal, *spool, workers,
                                                     reserve, fence, isolation, updates},
                                        identity, "config");
    recovered = warden->Recover(at).ok();
    warden->OnLinkStarted();
    Pump();
  }
  // The process dies and starts again; what it had not said is unsaid.
  void Restart() {
    warden.reset();
    disk.is_crashed = false;
    disk.crash_at.reset();
    Start();
  }
  void Advance(Duration by) {
    at.now += by;
    at.wall = WallTime(at.wall.get() + static_cast<std::uint64_t>(by.count()));
    warden->OnTick(at);
    Pump();
  }

  // --- the link ---
  void Open() {
    Dial();
    ::holdfast::link::v1::Frame welcome;
    welcome.mutable_welcome()->set_epoch(disk.meta.epoch);
    welcome.mutable_welcome()->set_contact(std::string(16, 'k'));
    Send(welcome, disk.meta.epoch);
  }
  void Dial(const std::string& named = "host", std::uint32_t version = 1) {
    warden->OnLinkMessage(agent::LinkMessageType::kOpened, "host", at);
    ::holdfast::link::v1::Frame challenge;
    challenge.mutable_challenge()->set_protocol_version(version);
    challenge.mutable_challenge()->set_nonce(std::string(32, 'n'));
    challenge.mutable_challenge()->set_server_name(named);
    Send(challenge, 0);
  }
  void Close() {
    warden->OnLinkMessage(agent::LinkMessageType::kClosed, std::string("\x01\x00", 2), at);
    Pump();
  }
  void Send(const ::holdfast::link::v1::Frame& frame, std::uint64_t epoch) {
    ::holdfast::link::v1::LinkMessage message;
    message.set_epoch(epoch);
    *message.add_frames() = frame;
    warden->OnLinkMessage(agent::LinkMessageType::kFromServer, message.SerializeAsString(), at);
    Pump();
  }
  void Send(const ::holdfast::link::v1::Frame& frame) { Send(frame, disk.meta.epoch); }
  void Deliver(const std::string& envelope) {
    ::holdfast::link::v1::Frame frame;
    frame.mutable_deliver()->set_envelope(envelope);
    frame.mutable_deliver()->set_cert_envelope(cert);
    Send(frame);
  }
  void Ack(const Digest& digest, std::uint32_t attempt, std::uint64_t next_seq,
           bool complete = false, bool rewind = false) {
    ::holdfast::link::v1::Frame frame;
    frame.mutable_ack()->set_digest(digest.str());
    frame.mutable_ack()->set_attempt(attempt);
    frame.mutable_ack()->set_next_seq(next_seq);
    frame.mutable_ack()->set_window_bytes(1 << 20);
    frame.mutable_ack()->set_complete(complete);
    frame.mutable_ack()->set_rewind(rewind);
    Send(frame);
  }

  // Acknowledges what comes until a Final has: a link that has shown nothing gets little at a time.
  void TakeAll(const Digest& digest) {
    for (int i = 0; i < 200 && !ups.back().has_final(); ++i) {
      Ack(digest, ups.back().attempt(), ups.back().seq() + 1);
    }
  }

  // --- workers ---
  agent::WorkerId LastWorker() const { return workers.started.back().id; }
  void Output(agent::WorkerId id, std::string_view data) {
    warden->OnWorkerMessage(id, agent::WorkerMessageType::kOutput, data, at);
    Pump();
  }
  void Exit(agent::WorkerId id, pb::Outcome outcome = pb::OUTCOME_DONE,
            pb::CommandFailure failure = pb::COMMAND_FAILURE_UNSPECIFIED) {
    pb::Result said;
    said.set_outcome(outcome);
    said.set_failure(failure);
    warden->OnWorkerMessage(id, agent::WorkerMessageType::kExit, said.SerializeAsString(), at);
    Gone(id);
  }
  void Gone(agent::WorkerId id, agent::WorkerEnd end = {}) {
    warden->OnWorkerGone(id, end, at);
    Pump();
  }

  // --- commands ---
  pb::Command Query(char id = 'c') const {
    auto command = fleet.GoodCommand();
    command.set_command_id(std::string(16, id));
    command.set_issued_at_ms(at.wall.get() - 1000);
    command.set_not_after_ms(at.wall.get() + kHourMs);
    return command;
  }
  std::string Sign(const pb::Command& command) const { return fleet.Sign(command); }
  Digest DigestOf(const std::string& envelope) const {
    const auto parsed = sign::ParseEnvelope(envelope, sign::kCommandType);
    return sign::EnvelopeDigest(crypto, parsed.value().payload_type(), parsed.value().payload());
  }

  // --- what came up ---
  std::vector<Up> ups;
  std::vector<::holdfast::link::v1::Frame> others;                   // Hello, Sync, BlobRequest
  std::vector<std::pair<agent::LinkMessageType, std::string>> told;  // the link process itself
  pb::Result FinalOf(const Up& up) const {
    const auto envelope = sign::ParseEnvelope(up.final().envelope(), sign::kResultType);
    HF_CHECK(sign::VerifySignedBy(crypto, envelope.value(), key->public_key()).ok());
    return sign::ParseResult(envelope.value().payload()).value();
  }
  // "received started chunk final", of one command, by what was sent since the last call.
  std::string Story(const Digest& digest) {
    std::string out;
    for (const Up& up : ups) {
      if (up.digest() != digest.view()) continue;
      if (!out.empty()) out += " ";
      out += std::to_string(up.attempt()) + "." + std::to_string(up.seq()) + ":";
      if (up.has_received()) out += "received";
      if (up.has_started()) out += "started";
      if (up.has_chunk()) out += "chunk";
      if (up.has_final()) out += pb::Outcome_Name(FinalOf(up).outcome()).substr(8);
    }
    ups.clear();
    return out;
  }

  void Pump() {
    std::string bytes;
    while (warden->NextLinkBytes(bytes, at)) {
      if (disk.is_crashed) continue;  // a dead process says nothing
      agent::LinkFramer framer;
      framer.Push(bytes);
      for (;;) {
        auto next = framer.Next();
        HF_CHECK(next.ok());
        if (!next.value()) break;
        Take(next.value()->type, std::string(next.value()->payload));
      }
    }
    while (const auto line = warden->NextLog()) log.push_back(line->str());
  }

  std::unique_ptr<sign::Crypto> hashing;
  CheapCrypto crypto;
  TestFleet fleet;
  std::unique_ptr<sign::SigningKey> key;
  sign::TrustedPolicy trust;
  std::string cert;
  agent::Moment at{TimePoint(std::chrono::hours(1)), WallTime(kNowMs)};
  FakeDisk disk;
  FakeSpoolDisk spool_disk;
  FakeWorkers workers;
  FakeReserve reserve{disk};
  FakeFence fence;
  FakeIsolationFile isolation;
  FakeUpdateFile updates;
  std::unique_ptr<FakeJournal> journal;
  std::unique_ptr<FakeSpool> spool;
  std::unique_ptr<agent::Warden> warden;
  std::vector<std::string> log;
  bool recovered = false;

 private:
  pb::Policy WidePolicy() const {
    auto policy = fleet.GoodPolicy();
    for (const char* verb : {"get", "cat", "put", "exec", "isolate", "release", "update"}) {
      policy.mutable_classes(0)->add_verbs(verb);
    }
    return policy;
  }
  pb::OperatorCert WideCert() const { return fleet.GoodCert(); }
  void Take(agent::LinkMessageType type, std::string payload) {
    if (type != agent::LinkMessageType::kToServer) {
      told.emplace_back(type, std::move(payload));
      return;
    }
    const auto message = link::DecodeMessage(payload, link::Direction::kUp);
    HF_CHECK(message.ok());
    for (const auto& frame : message.value().frames()) {
      if (frame.has_up()) {
        ups.push_back(frame.up());
      } else {
        others.push_back(frame);
      }
    }
  }
};

}  // namespace holdfast::testing
