// WsServer: tests/support/ws_server.py as a child process, for tests of WebSocket clients.
//
// Ownership: owns the child; its end closes the child's standard input, upon which it exits.
#pragma once

#include <map>
#include <string>

namespace holdfast::test {

class WsServer {
 public:
  static constexpr char kSubprotocol[] = "holdfast.test.v1";
  WsServer();  // aborts the test program if the server does not come up
  ~WsServer();
  WsServer(const WsServer&) = delete;
  WsServer& operator=(const WsServer&) = delete;

  // "wss://HOST:PORT" of the listener called `name` ("tls", "mute", ...); ws:// for "plain".
  std::string Url(const std::string& name, const std::string& host = "localhost") const;
  int port(const std::string& name) const { return ports_.at(name); }
  const std::string& ca_pem() const { return ca_pem_; }

 private:
  int child_ = -1;
  int stdin_ = -1;
  std::map<std::string, int> ports_;
  std::string ca_pem_;
};

}  // namespace holdfast::test
