// PtyPair: both ends of a terminal, and between them a way that the test decides about.
//
// Threading: thread-compatible.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/pty_session.h"
#include "backend/sdk/pty_client.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/adapters/openssl/openssl_sealing.h"
#include "common/sign/envelope.h"

namespace holdfast::testing {

class PtyPair {
 public:
  struct Typed {
    std::uint64_t seq = 0;
    std::string sealed;
  };

  explicit PtyPair(agent::PtySession::Options options = Wide())
      : identity(crypto->GenerateKey().value()) {
    names.command = crypto->Sha256("a command");
    names.agent = sign::AgentIdOf(*crypto, identity->public_key());
    auto operator_key = sealing->NewKey().value();
    auto agent_key = sealing->NewKey().value();
    names.operator_key = operator_key->public_key();
    names.agent_key = agent_key->public_key();
    keys = pty::DeriveSessionKeys(*crypto, agent_key->Agree(names.operator_key).value(), names);
    client = std::make_unique<sdk::PtyClient>(
        *crypto, *sealing, std::move(operator_key),
        sdk::PtyClient::Session{names.command, names.agent, kSize, "xterm"}, now);
    session = std::make_unique<agent::PtySession>(
        *crypto, *sealing, keys, options,
        agent::PtySession::Start{kSize, "xterm", "holdfast pty " + names.command.hex(), 1700000000},
        now);
  }
  static agent::PtySession::Options Wide() {
    agent::PtySession::Options options;
    options.idle = std::chrono::minutes(15);
    options.wall = std::chrono::hours(8);
    options.max_cast_bytes = std::uint64_t{1} << 30;
    return options;
  }

  std::string KeyFrame() const { return KeyFrame(*identity, names); }
  std::string KeyFrame(const sign::SigningKey& by, const pty::SessionNames& said) const {
    ::holdfast::command::v1::PtyKey binding;
    binding.set_command_digest(said.command.str());
    binding.set_agent_id(said.agent.str());
    binding.set_pubkey(by.public_key().str());
    binding.set_agent_key(said.agent_key.str());
    std::string frame;
    pty::AppendFrame(
        frame, pty::FrameType::kKey,
        sign::SignEnvelope(*crypto, by, sign::kPtyKeyType, binding.SerializeAsString()).value());
    return frame;
  }
  void Open() {
    HF_CHECK(client->OnOutput(KeyFrame(), now).ok());
    Down();
  }
  // Everything that the agent has to say, said.
  void Down() {
    while (const auto frame = session->NextFrame()) {
      recorded += session->TakeCast();
      HF_CHECK(client->OnOutput(*frame, now).ok());
    }
    recorded += session->TakeCast();
    kept += client->TakeCast();
    while (auto event = client->NextEvent()) (event->is_notice ? notices : shown) += event->data;
  }
  // What the tool has to say now.
  std::vector<Typed> Up() {
    std::vector<Typed> out;
    while (const auto input = client->NextInput(now)) {
      for (const auto& record : input->records()) out.push_back({record.seq(), record.sealed()});
    }
    return out;
  }
  void Take(const Typed& typed) { session->OnInput(typed.seq, typed.sealed, now); }
  // The terminal takes what there is to take.
  std::string Keys() {
    std::string typed = session->keys();
    session->OnKeysWritten(typed.size());
    return typed;
  }
  void Advance(Duration by) {
    now += by;
    session->OnTick(now);
    client->OnTick(now);
  }

  static constexpr pty::Size kSize{80, 24};
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  const std::unique_ptr<sign::Sealing> sealing = NewOpensslSealing();
  const std::unique_ptr<sign::SigningKey> identity;
  TimePoint now{std::chrono::hours(1)};
  pty::SessionNames names;
  pty::SessionKeys keys;
  std::unique_ptr<sdk::PtyClient> client;
  std::unique_ptr<agent::PtySession> session;
  std::string shown, notices, recorded, kept;
};

}  // namespace holdfast::testing
