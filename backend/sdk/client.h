// Client: libholdfast's front door: ask control, submit signed commands, follow them to their end.
//
// One connection, used by one caller at a time, nothing in the background. A connection that is lost
// is dialled again and the request repeated until Options::timeout: every request may be made twice
// without a second effect, a command because its signed bytes name it.
//
//   Open --> ResolveTargets --> Submit --> Follow(sink)
//
// Ordering:  Submit() keeps the signed bytes (PendingStore) before it sends them, until control has
//            answered. Follow() goes on where it was cut.
// Limits:    Options::timeout for one answer, redials included; a lost connection is redialled after
//            50 ms, doubled each time up to 2 s. A first dial is given up after 2 s.
// Ownership: owns the connection; borrows crypto, fleet and operator for its life.
// Threading: one thread.
// Errors:    kUnavailable: control cannot be reached. kDenied: it refuses this operator, or is not
//            this fleet's. kCancelled: Options::cancel_fd became readable. Otherwise what control
//            answered (FromApi). After any of them the client may be used again.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sdk/api_connection.h"
#include "backend/sdk/fleet.h"
#include "backend/sdk/operator_cert.h"
#include "backend/sdk/pending_store.h"
#include "backend/sdk/result_tracker.h"
#include "backend/sdk/sign_command.h"
#include "backend/sdk/targets.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "holdfast/api/v1/api.pb.h"

namespace holdfast::sdk {

// What a followed command is told meanwhile: what is typed into its terminal.
class FollowSide {
 public:
  virtual ~FollowSide() = default;
  virtual void OnConnected() = 0;  // also again: what was on its way may be lost
  virtual void OnLost(const Error& why) = 0;
  // The next request without an answer.
  virtual std::optional<api::ClientMessage> NextRequest(TimePoint now) = 0;
  virtual TimePoint NextDeadline() const = 0;
};

class Client {
 public:
  struct Options {
    Duration timeout = std::chrono::seconds(30);
    int cancel_fd = -1;  // readable: stop; -1: none
  };
  // Does not dial yet.
  static Result<std::unique_ptr<Client>> Create(const sign::Crypto& crypto, const Fleet& fleet,
                                                const Operator& who, Options options);
  ~Client();

  // Dials and proves the operator. Other calls do so by themselves.
  Status Open();

  // --- agents
  // All pages.
  Result<std::vector<api::Agent>> Agents(api::ListAgents filter);
  // What the words mean; each target once, in the order of the words, then of ids.
  Result<std::vector<Target>> ResolveTargets(const std::vector<TargetTerm>& terms);
  Status RemoveAgent(const AgentId& id);
  // Of control's answer only the token counts; the rest is the fleet's directory's (fleet_bundle.h).
  Result<::holdfast::command::v1::Bundle> CreateToken(const api::CreateToken& request);

  // --- commands
  Result<api::Submitted> Submit(const SignedCommand& command);
  // Newest first; as many as `limit` says, whatever the size of a page.
  Result<std::vector<api::CommandSummary>> Commands(api::ListCommands request);
  // By the beginning of its digest, 4 to 64 hex digits; what comes back has such a digest.
  Result<api::CommandDetail> Command(std::string_view digest_prefix);

  struct FollowOptions {
    ResultTracker::Output output = ResultTracker::Output::kWanted;
    std::optional<Duration> wait;  // none: until every target has ended
    Duration tick{0};              // call FollowSink::OnTick() this often; 0: never
    FollowSide* side = nullptr;
    std::optional<Duration> patience;  // for a lost connection; none: Options::timeout
  };
  enum class Followed : std::uint8_t { kFinished, kTimeUp };
  // `targets`: those that were signed (SignedCommand::targets, or out of the verified envelope).
  Result<Followed> Follow(const Digest& command, const std::vector<AgentId>& targets,
                          const FollowOptions& options, FollowSink& sink);

  // --- content for `put`
  struct Upload {
    Digest sha256;
    std::uint64_t size = 0;
  };
  // `progress` (bytes so far, bytes in all) may be empty.
  using Progress = std::function<void(std::uint64_t, std::uint64_t)>;
  Result<Upload> UploadFile(const std::string& path, const Progress& progress);

  // --- audit
  // Every record after `after_seq`, in order; an error of `each` ends it.
  Status Audit(std::uint64_t after_seq, const std::string& digest,
               const std::function<Status(const api::AuditRecord&)>& each);

  // See ApiConnection.
  Status Watch(int fd, ApiConnection::OnReadable on_readable, void* user) {
    return connection_->Watch(fd, on_readable, user);
  }
  void PauseWatch(int fd, bool paused) { connection_->PauseWatch(fd, paused); }
  void Unwatch(int fd) { connection_->Unwatch(fd); }
  Status WatchCancel() { return connection_->WatchCancel(); }
  void Cancel() { connection_->Cancel(); }
  void ClearCancel() { connection_->ClearCancel(); }

  const PendingStore& pending() const { return pending_; }
  const std::string& server_version() const { return connection_->server_version(); }

 private:
  Client(const sign::Crypto& crypto, const Fleet& fleet, Options options);

  // Asks until it is answered; an ApiError of control is an Error.
  Result<api::ServerMessage> Ask(const api::ClientMessage& request);
  Result<api::ServerMessage> AskOnce(const api::ClientMessage& request, TimePoint deadline);
  // After a lost connection: waits, longer each time. The error when it is not worth trying again.
  Status BackOff(const Error& error, int attempt, TimePoint deadline);
  Status WatchOnce(const Digest& command, ResultTracker& tracker, const FollowOptions& options,
                   FollowSink& sink, TimePoint until);
  Status UploadFrom(int fd, const Upload& upload, const Progress& progress);

  const sign::Crypto& crypto_;
  const Fleet& fleet_;
  const Options options_;
  const PendingStore pending_;
  std::unique_ptr<ApiConnection> connection_;
  bool was_open_ = false;  // once: from then on a lost connection is worth Options::timeout
};

}  // namespace holdfast::sdk
