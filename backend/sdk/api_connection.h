// ApiConnection: one WebSocket to control, dialled again when asked, driven by its caller.
//
// Joins ApiSession to the loop of LwsClient. There is no thread: the loop runs inside Open(),
// Receive() and Pause(), and nothing happens between them.
//
//   Open --> Send* --> Receive*        lost: Receive() says so; Open() dials again
//
// Ordering:  what was sent on a lost connection is gone with it, and so are its replies.
// Limits:    messages up to 512 KiB (api.proto); every wait has a deadline.
// Ownership: owns the loop and the session; borrows crypto and operator.
// Threading: one thread.
// Errors:    kUnavailable: not reachable or lost. kDenied: an untrusted certificate, a refused login.
//            kCancelled: Options::cancel_fd became readable. kCorrupt: the server breaks the protocol.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/sdk/api_session.h"
#include "common/adapters/lws/lws_client.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::sdk {

// An Error for what control answered: the catalogue's code and its message, safe for a terminal.
Error FromApi(const api::ApiError& error);

class ApiConnection final : private LwsClientDelegate {
 public:
  struct Options {
    std::string url;     // wss://HOST:PORT
    std::string ca_pem;  // the one CA that is trusted
    ApiSession::Options session;
    int cancel_fd = -1;  // readable: stop waiting; -1: none
  };
  static Result<std::unique_ptr<ApiConnection>> Create(const sign::Crypto& crypto,
                                                       const Operator& who, Options options);
  ~ApiConnection() override;

  // Dials and logs in; nothing to do when open.
  Status Open(TimePoint deadline);
  bool open() const { return connection_ != nullptr && session_ && session_->open(); }
  // The last dial reached a control that said no to the login.
  bool login_refused() const { return session_ && session_->login_refusal(); }
  Result<std::uint64_t> Send(api::ClientMessage request);
  // The next reply, whatever it answers; nullopt when the deadline or a watched descriptor came first.
  Result<std::optional<api::ServerMessage>> Receive(TimePoint deadline);
  // Receive() and Pause() also call this, and Receive() then returns, when the descriptor is readable. It stays the
  // caller's.
  using OnReadable = void (*)(void* user);
  Status Watch(int fd, OnReadable on_readable, void* user);
  void PauseWatch(int fd, bool paused) { client_->PauseReadable(fd, paused); }
  void Unwatch(int fd);
  // cancel_fd, after it was unwatched.
  Status WatchCancel();
  // As if cancel_fd had become readable.
  void Cancel() { cancelled_ = true; }
  // What was cancelled may be asked again.
  void ClearCancel() { cancelled_ = false; }
  // Waits; also for a cancel.
  Status Pause(TimePoint until);
  const std::string& server_version() const { return server_version_; }

 private:
  ApiConnection(const sign::Crypto& crypto, const Operator& who, Options options);
  void OnOpened() override {}
  void OnMessage(std::string_view message) override;
  void OnClosed(const ClientEnd& end) override;
  std::optional<std::string> NextMessage() override;

  // Runs the loop once; the reason why waiting is over, if it is.
  Status Turn(TimePoint deadline);
  Error LostError() const;

  const sign::Crypto& crypto_;
  const Operator& who_;
  const Options options_;
  std::unique_ptr<LwsClient> client_;
  LwsClientConnection* connection_ = nullptr;  // until OnClosed
  std::optional<ApiSession> session_;
  std::optional<Error> breach_;   // why we closed
  std::optional<ClientEnd> end_;  // of the last connection
  bool cancelled_ = false;
  struct Watched {
    ApiConnection* self;
    int fd;
    OnReadable on_readable;
    void* user;
  };
  std::vector<std::unique_ptr<Watched>> watched_;
  bool woken_ = false;  // by one of them
  std::string server_version_;
};

}  // namespace holdfast::sdk
