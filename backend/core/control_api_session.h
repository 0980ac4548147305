// ApiSession: one connection of an analyst's tool: its login, its open requests, its watches.
//
// Answers are made in the turn of their request and leave after the turn's commit; if that fails,
// every one of them becomes UNAVAILABLE. Watch events are read when the client takes them.
//
//   OnMessage OnChanged Answer --> [ApiSession] --> commit, Keep | Undo --> NextMessage, closing
//
// Ordering:  answers leave in the order they were made; watch events take turns behind them.
// Limits:    Options; above open_requests a request is refused (TOO_LARGE), twice that closes.
// Ownership: borrows its ports for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    a request that fails gets an ApiError; bytes that are no ClientMessage close.
// Design:    proto/holdfast/api/v1/api.proto
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/core/control_agents.h"
#include "backend/core/control_audit.h"
#include "backend/core/control_blobs.h"
#include "backend/core/control_dispatcher.h"
#include "backend/core/control_ledger.h"
#include "backend/core/control_sessions.h"
#include "backend/core/control_tokens.h"
#include "backend/core/control_watch.h"
#include "common/sign/chain.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::backend {

// What all connections share, and nobody changes.
struct ApiSettings {
  std::string server_name;                 // as the client dialled it
  std::string version;                     // of holdfastd
  ::holdfast::command::v1::Bundle bundle;  // without the token
};

// What was typed into a terminal, on its way to the agent that runs it. Not kept: who typed it sends it again.
struct TypedInput {
  AgentId agent;
  Digest digest;
  std::vector<std::string> frames;  // serialized holdfast.link.v1.Frame
};

struct ApiPorts {
  const ApiSettings& settings;
  const sign::Crypto& crypto;
  const sign::TrustedPolicy& trust;
  Store& store;
  OutputFiles& files;
  AgentTable& agents;
  Ledger& ledger;
  Sessions& sessions;
  Dispatcher& dispatcher;
  Tokens& tokens;
  AuditLog& audit;
  Blobs& blobs;
  std::vector<AgentId>& revoked;   // links to close after the commit
  std::vector<TypedInput>& typed;  // to leave at the end of the turn, whether it commits or not
};

class ApiSession {
 public:
  struct Options {
    std::size_t open_requests = 64;
    std::size_t watches = 16;
    int failed_logins = 3;
    Duration login_timeout = std::chrono::seconds(10);
    std::size_t message_bytes = std::size_t{512} * 1024;  // api.proto
    // Before the login, which is an envelope and a certificate: strangers are given no more room.
    std::size_t greeting_bytes = std::size_t{16} * 1024;
    std::size_t page_bytes = std::size_t{384} * 1024;  // lists stop here, below message_bytes
  };
  ApiSession(Options options, ApiPorts ports, std::uint64_t connection, std::string peer,
             Moment now);

  void OnMessage(std::string_view bytes, Moment now);
  // The longest message that it takes now; for whoever puts messages together.
  std::size_t max_message_bytes() const {
    return operator_id_.empty() ? options_.greeting_bytes : options_.message_bytes;
  }
  void OnTick(Moment now);
  // The command of some watch changed, on disk.
  void OnChanged(const DeliveryKey& key);
  // An answer that comes later (blobs).
  void Answer(std::uint64_t id, const Result<Blobs::Progress>& progress);

  // After the commit, or instead of it.
  void Keep();
  void Undo();

  std::optional<std::string> NextMessage();
  bool wants_write() const;
  // Set: write what is left, then close the connection for this reason.
  const std::optional<std::string>& closing() const { return closing_; }
  const std::string& operator_id() const { return operator_id_; }
  std::uint64_t accepted() const { return accepted_; }  // commands, since the start
  std::uint64_t refused() const { return refused_; }

 private:
  struct Held {
    std::uint64_t id = 0;
    std::string bytes;
  };
  struct OpenWatch {
    Watch watch;
    bool fresh = true;  // opened in this turn: what it asks for may not be on disk yet
    bool ready = true;  // may have something to say
  };

  void Handle(const api::v1::ClientMessage& message, Moment now);
  void Send(std::uint64_t id, api::v1::ServerMessage message);
  void Fail(std::uint64_t id, const Error& error);
  void Fail(std::uint64_t id, api::v1::ApiCode code, std::string text);
  void Close(std::string why) {
    if (!closing_) closing_ = std::move(why);
    watches_.clear();
  }

  void Login(std::uint64_t id, const api::v1::LoginRequest& request, Moment now);
  Status CheckLogin(const api::v1::LoginRequest& request, Moment now);
  // What changes the fleet without a signed command wants a certificate of the class "act".
  bool MayAct(std::uint64_t id);
  // Uploads fill control's disk: they want a class with a verb that takes content.
  bool MayUpload(std::uint64_t id);
  // control_api_agents.cc
  void ListAgents(std::uint64_t id, const api::v1::ListAgents& request, Moment now);
  void RemoveAgent(std::uint64_t id, const api::v1::RemoveAgent& request, Moment now);
  void CreateToken(std::uint64_t id, const api::v1::CreateToken& request, Moment now);
  void ListAudit(std::uint64_t id, const api::v1::ListAudit& request);
  void BeginBlob(std::uint64_t id, const api::v1::BlobBegin& request);
  void PartOfBlob(std::uint64_t id, const api::v1::BlobPart& request);
  // control_api_commands.cc
  void Submit(std::uint64_t id, const api::v1::Submit& request, Moment now);
  Result<Digest> Accept(const api::v1::Submit& request, Moment now);
  Status CheckTargets(const sign::VerifiedCommand& verified, std::vector<AgentId>& targets) const;
  void EndWhatACancelReaches(const sign::VerifiedCommand& verified,
                             const std::vector<AgentId>& targets, Moment now);
  Result<std::optional<CommandRow>> Find(const Digest& digest) const;
  api::v1::Waiting WhyOpen(const DeliveryRow& row) const;
  void ListCommands(std::uint64_t id, const api::v1::ListCommands& request);
  void GetCommand(std::uint64_t id, const api::v1::GetCommand& request);
  void StartWatch(std::uint64_t id, const api::v1::Watch& request);
  void Unwatch(std::uint64_t id, const api::v1::Unwatch& request);
  void Flow(const api::v1::Flow& request);
  void Typed(const api::v1::PtyInput& request);
  bool NextWatchMessage();

  const Options options_;
  const ApiPorts ports_;
  const std::uint64_t connection_;
  const std::string peer_;
  const TimePoint opened_at_;
  Nonce32 challenge_;
  std::string operator_id_;  // empty: not logged in
  bool login_in_turn_ = false;
  std::uint64_t cert_not_after_ms_ = 0;
  bool may_act_ = false;  // the certificate names the class that changes things
  bool may_upload_ = false;
  // Of the login: commands usually come under the same certificate, which is then not checked again.
  std::string cert_envelope_;
  ::holdfast::command::v1::OperatorCert cert_;
  int failed_logins_ = 0;
  std::vector<Held> held_;         // of this turn
  std::deque<std::string> ready_;  // to be written
  std::size_t later_ = 0;          // requests that are answered by another turn
  std::map<std::uint64_t, OpenWatch> watches_;
  std::uint64_t next_watch_ = 0;  // whose turn it is
  std::optional<std::string> closing_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace holdfast::backend
