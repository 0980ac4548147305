// SimAgent: a scripted agent, true to the protocol: journal, numbered streams, epochs, contact.
//
// Runs what it is delivered by counting an effect and making up output; keeps what it journaled when
// it restarts, and what was running then ends INTERRUPTED. Refuses, as real ones do, when kMaxOpen
// commands are open.
//
// Threading: thread-compatible.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/base/crc32c.h"
#include "common/link/codec.h"
#include "common/link/stream_sender.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"
#include "tests/support/test_fleet.h"

namespace holdfast::testing {

class SimAgent {
 public:
  using Up = link::v1::Up;
  static constexpr std::size_t kMaxOpen = 64;  // agent/core/limits.h, kMaxOpenCommands
  struct Options {
    std::size_t max_chunks = 8;
    std::size_t max_chunk_bytes = 20000;
  };
  SimAgent(const sign::Crypto& crypto, FleetId fleet, std::string token, std::uint32_t seed,
           Options options)
      : crypto_(crypto),
        fleet_(fleet),
        token_(std::move(token)),
        random_(seed),
        options_(options),
        key_(crypto.GenerateKey().value()),
        id_(sign::AgentIdOf(crypto, key_->public_key())),
        incarnation_(crypto.RandomBytes<Nonce16>()),
        instance_(crypto.RandomBytes<Nonce16>()) {}

  const AgentId& id() const { return id_; }
  std::uint64_t epoch() const { return epoch_; }
  bool online() const { return online_; }
  const std::map<Digest, int>& effects() const { return effects_; }
  const std::map<Digest, std::string>& outputs() const { return outputs_; }
  // It died while this ran, and has said so in its result; and how often its journal was lost.
  bool interrupted(const Digest& digest) const { return interrupted_.contains(digest); }
  int journals_lost() const { return journals_lost_; }
  const sign::SigningKey& key() const { return *key_; }
  void ForgetToken() { token_.clear(); }

  // The next dial's Hello: epoch first, as if fsynced.
  std::string Hello() {
    ++epoch_;
    pb::AgentHello hello;
    hello.set_fleet_id(fleet_.str());
    hello.set_server_name("server");
    hello.set_challenge(std::string(32, 'x'));
    hello.set_agent_id(id_.str());
    hello.set_pubkey(key_->public_key().str());
    hello.set_incarnation(incarnation_.str());
    hello.set_conn_epoch(epoch_);
    hello.set_instance_nonce(instance_.str());
    hello.set_fingerprint(std::string(32, 'p'));
    hello.set_contact(contact_);
    hello.set_enrol_token(token_);
    hello.mutable_facts()->set_hostname("host-" + id_.hex().substr(0, 4));
    return sign::SignEnvelope(crypto_, *key_, sign::kHelloType, hello.SerializeAsString()).value();
  }
  void SetContact(std::string contact) { contact_ = std::move(contact); }
  void OnWelcome(std::string contact, TimePoint now) {
    contact_ = std::move(contact);
    online_ = true;
    for (auto& [digest, stream] : streams_) stream.sender->OnLinkUp(now);
  }
  void OnClosed() {
    online_ = false;
    for (auto& [digest, stream] : streams_) stream.sender->OnLinkDown();
  }
  // The machine lost power: what was running is INTERRUPTED, as one record of a new attempt.
  void Restart() {
    OnClosed();
    instance_ = crypto_.RandomBytes<Nonce16>();
    for (auto& [digest, stream] : streams_) {
      const bool ended = !stream.records.empty() && stream.records.back().has_final();
      if (ended || stream.records.empty()) continue;
      const std::uint32_t attempt = stream.attempt + 1;
      stream.attempt = attempt;
      stream.records.clear();
      stream.planned.clear();
      stream.sender = std::make_unique<link::StreamSender>(link::StreamSender::Options(), 0);
      outputs_[digest].clear();
      interrupted_.insert(digest);
      AddFinal(digest, stream, pb::OUTCOME_INTERRUPTED, pb::COMMAND_FAILURE_INTERRUPTED);
    }
  }
  // A new journal: everything before is forgotten, and what was issued before is refused.
  void LoseJournal(std::uint64_t wall_ms) {
    OnClosed();
    birth_ms_ = wall_ms;
    ++journals_lost_;
    streams_.clear();
    contact_.clear();
    incarnation_ = crypto_.RandomBytes<Nonce16>();
    instance_ = crypto_.RandomBytes<Nonce16>();
    epoch_ += 1000;  // a fresh journal starts above every epoch before
  }

  // The server says that this journal went back: open work is let go of, and only tombstones are left.
  void BeginAnew(std::uint64_t wall_ms, TimePoint now) {
    OnClosed();
    birth_ms_ = wall_ms;
    contact_.clear();
    incarnation_ = crypto_.RandomBytes<Nonce16>();
    for (auto& [digest, stream] : streams_) {
      stream.records.clear();
      stream.planned.clear();
      stream.sender = std::make_unique<link::StreamSender>(link::StreamSender::Options(), 0);
      HF_CHECK(stream.sender->OnAck({0, 0, false, true}, now).ok());
    }
  }

  void OnFrame(const link::Frame& frame, std::uint64_t wall_ms, TimePoint now) {
    if (frame.has_deliver()) Deliver(frame.deliver().envelope(), wall_ms, now);
    if (frame.has_ack()) Ack(frame.ack(), now);
  }
  // Work goes on: some of what was planned becomes records.
  void Work() {
    for (auto& [digest, stream] : streams_) {
      if (stream.planned.empty() || random_() % 4 != 0) continue;
      Add(stream, std::move(stream.planned.front()));
      stream.planned.erase(stream.planned.begin());
      if (stream.planned.empty()) {
        AddFinal(digest, stream, pb::OUTCOME_DONE, pb::COMMAND_FAILURE_UNSPECIFIED);
      }
    }
  }
  std::vector<link::Frame> TakeFrames(TimePoint now) {
    std::vector<link::Frame> out;
    if (!online_) return out;
    link::Frame sync;
    for (auto& [digest, stream] : streams_) {
      stream.sender->OnTick(now);
      if (stream.sender->NextSync(now) && sync.sync().streams_size() < 64) {
        auto& ref = *sync.mutable_sync()->add_streams();
        ref.set_digest(digest.str());
        ref.set_attempt(stream.attempt);
      }
    }
    if (sync.has_sync()) out.push_back(sync);
    for (auto& [digest, stream] : streams_) {
      while (const auto seq = stream.sender->NextRecord(now)) {
        link::Frame frame;
        *frame.mutable_up() = stream.records.at(static_cast<std::size_t>(*seq));
        out.push_back(std::move(frame));
      }
    }
    return out;
  }
  std::size_t open_streams() const {
    std::size_t open = 0;
    for (const auto& [digest, stream] : streams_) open += stream.sender->complete() ? 0 : 1;
    return open;
  }
  std::size_t most_open() const { return most_open_; }  // at any time
  // Of the streams that control does not have whole, for people.
  std::string Describe() const {
    std::string out;
    for (const auto& [digest, stream] : streams_) {
      if (stream.sender->complete()) continue;
      out += " " + digest.hex().substr(0, 8) + " attempt " + std::to_string(stream.attempt) +
             " acked " + std::to_string(stream.sender->acked()) + " of " +
             std::to_string(stream.records.size());
    }
    return out;
  }
  bool damage_results = false;  // sign another hash than that of the output

 private:
  struct Stream {
    std::uint32_t attempt = 1;
    std::vector<Up> records;
    std::vector<Up> planned;
    std::unique_ptr<link::StreamSender> sender =
        std::make_unique<link::StreamSender>(link::StreamSender::Options(), 0);
  };
  void Add(Stream& stream, Up up) {
    up.set_attempt(stream.attempt);
    up.set_seq(stream.records.size());
    const auto bytes = static_cast<std::uint32_t>(up.chunk().data().size());
    stream.records.push_back(std::move(up));
    HF_CHECK(stream.sender->OnRecord(bytes).ok());
  }
  void AddFinal(const Digest& digest, Stream& stream, pb::Outcome outcome,
                pb::CommandFailure failure) {
    std::uint64_t chunks = 0;
    for (const Up& up : stream.records) chunks += up.has_chunk() ? 1 : 0;
    pb::Result result;
    result.set_command_digest(digest.str());
    result.set_agent_id(id_.str());
    result.set_incarnation(incarnation_.str());
    result.set_attempt(stream.attempt);
    result.set_outcome(outcome);
    result.set_failure(failure);
    result.set_output_bytes(outputs_[digest].size());
    result.set_chunk_count(chunks);
    result.set_output_sha256(
        crypto_.Sha256(damage_results ? "something else" : outputs_[digest]).str());
    Up up;
    up.set_digest(digest.str());
    up.mutable_final()->set_envelope(
        sign::SignEnvelope(crypto_, *key_, sign::kResultType, result.SerializeAsString()).value());
    Add(stream, std::move(up));
  }
  void Deliver(const std::string& bytes, std::uint64_t wall_ms, TimePoint now) {
    const auto envelope = sign::ParseEnvelope(bytes, sign::kCommandType).value();
    const Digest digest = sign::EnvelopeDigest(crypto_, sign::kCommandType, envelope.payload());
    if (streams_.contains(digest)) return;  // the stream answers
    pb::Command command;
    HF_CHECK(command.ParseFromString(envelope.payload()));
    const std::size_t open = open_streams();
    most_open_ = std::max(most_open_, open + 1);
    Stream& stream = streams_[digest];
    if (online_) stream.sender->OnLinkUp(now);
    if (open >= kMaxOpen) {
      return AddFinal(digest, stream, pb::OUTCOME_REFUSED, pb::COMMAND_FAILURE_TOO_MANY_OPEN);
    }
    if (command.issued_at_ms() < birth_ms_) {
      return AddFinal(digest, stream, pb::OUTCOME_REFUSED, pb::COMMAND_FAILURE_BEFORE_BIRTH);
    }
    if (wall_ms > command.not_after_ms()) {
      return AddFinal(digest, stream, pb::OUTCOME_EXPIRED, pb::COMMAND_FAILURE_EXPIRED);
    }
    ++effects_[digest];
    Up up;
    up.set_digest(digest.str());
    up.mutable_received()->set_at_ms(wall_ms);
    Add(stream, up);
    up.mutable_started()->set_at_ms(wall_ms);
    Add(stream, up);
    std::string& output = outputs_[digest];
    for (std::size_t left = random_() % (options_.max_chunks + 1); left > 0; --left) {
      std::string data(1 + random_() % options_.max_chunk_bytes, '\0');
      for (char& c : data) c = static_cast<char>(random_() & 255);
      up.mutable_chunk()->set_offset(output.size());
      up.mutable_chunk()->set_crc32c(Crc32c(data));
      output += data;
      up.mutable_chunk()->set_data(std::move(data));
      stream.planned.push_back(up);
    }
    if (stream.planned.empty()) {
      AddFinal(digest, stream, pb::OUTCOME_DONE, pb::COMMAND_FAILURE_UNSPECIFIED);
    }
  }
  void Ack(const link::v1::Ack& ack, TimePoint now) {
    const auto digest = Digest::From(ack.digest());
    const auto found = digest ? streams_.find(*digest) : streams_.end();
    if (found == streams_.end() || ack.attempt() != found->second.attempt) return;
    (void)found->second.sender->OnAck(
        {ack.next_seq(), ack.window_bytes(), ack.rewind(), ack.complete()}, now);
  }

  const sign::Crypto& crypto_;
  const FleetId fleet_;
  std::string token_;
  std::mt19937 random_;
  const Options options_;
  std::unique_ptr<sign::SigningKey> key_;
  AgentId id_;
  Nonce16 incarnation_;
  Nonce16 instance_;
  std::string contact_;
  std::uint64_t epoch_ = 0;
  std::uint64_t birth_ms_ = 0;
  std::size_t most_open_ = 0;
  int journals_lost_ = 0;
  std::set<Digest> interrupted_;
  bool online_ = false;
  std::map<Digest, Stream> streams_;  // the journal and the spool
  std::map<Digest, int> effects_;
  std::map<Digest, std::string> outputs_;
};

}  // namespace holdfast::testing
