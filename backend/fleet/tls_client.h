// TlsClient, TlsSession: the client's half of TLS for the simulator's links, by OpenSSL.
//
// OpenSSL shakes hands, and checks what an agent checks: that the certificate leads to the one given CA and
// names the host that was dialled. Then its 20 KB are let go, and TlsRecords goes on with the secrets. TLS 1.3 alone.
// After a full handshake OpenSSL stays until the first answer is read: the ticket comes before it, and its secret
// is OpenSSL's alone. One ticket a host serves all agents of the process: real ones have one each, the server's work
// is the same, and a million would take a gigabyte.
//
// Ownership: a session borrows its client and the socket; it closes neither.
// Threading: loop thread only.
// Errors:    Create(): kInvalid: the CA is no PEM certificate.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "common/base/result.h"

namespace holdfast::fleet {

class TlsSession {
 public:
  enum class Step : std::uint8_t { kDone, kAgain, kUntrusted, kFailed };
  virtual ~TlsSession() = default;
  virtual Status Start(int fd) = 0;
  virtual Step Handshake() = 0;
  virtual std::string Trouble() const = 0;  // of kUntrusted and kFailed
  // As recv() and send() on a socket that does not block: -1 is "not now", 0 "over".
  virtual ssize_t Read(std::span<char> into) = 0;
  virtual ssize_t Write(std::string_view bytes) = 0;
  // The socket has room again: what it did not take of a record goes first.
  virtual void Flush() = 0;
};

class TlsClient {
 public:
  // `resumes`: sessions are resumed; else each handshake is a full one.
  static Result<std::unique_ptr<TlsClient>> Create(const std::string& ca_pem, bool resumes);
  virtual ~TlsClient() = default;
  virtual Result<std::unique_ptr<TlsSession>> NewSession(const std::string& host) = 0;
};

// Sec-WebSocket-Key and the answer it wants (RFC 6455, 1.3).
struct WsKey {
  std::string text;
  std::string accept;
};
WsKey NewWsKey();

}  // namespace holdfast::fleet
