// LinkProcess: Dialer, LwsClient and WardenPipe wired into the link process.
//
//   warden --kToServer--> one message held --> socket        socket --> kFromServer --> warden
//
// Ordering:  kOpened before the first kFromServer of a connection, kClosed after the last. What warden
//            sent for a connection that is gone is dropped: a connection takes nothing before its Hello.
// Limits:    one message towards the server is held; warden is read again when the socket took it.
//            Before Welcome a server's message is at most kMaxGreetingBytes.
// Ownership: borrows the client and the pipe.
// Threading: loop thread only.
// Errors:    OnTurn() and the callbacks record in exit_status() that the process must end.
// Design:    docs/decisions/0017-link-owns-beats.md
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/app/clock_watch.h"
#include "agent/app/warden_pipe.h"
#include "agent/core/dialer.h"
#include "common/adapters/lws/lws_client.h"

namespace holdfast::agent {

class LinkProcess final : private LwsClientDelegate {
 public:
  struct Options {
    std::vector<std::string> servers;         // as in the bundle, 1..8
    std::vector<std::string> last_addresses;  // of each; fewer or empty: none known
    std::optional<HttpProxy> proxy;           // each server is dialled direct, then through it
    std::string last_proxy_address;           // empty: none known
    Dialer::Options dialer;                   // its `servers` is set from the routes
    std::uint32_t seed = 0;
  };
  LinkProcess(Options options, int warden_fd, LwsClient& client, WardenPipe& pipe);
  ~LinkProcess() override;

  // One turn: what is due now, then the loop until something happens.
  void OnTurn();
  std::optional<int> exit_status() const { return exit_status_; }

 private:
  // LwsClientDelegate
  void OnOpened() override;
  void OnMessage(std::string_view message) override;
  void OnClosed(const ClientEnd& end) override;
  std::optional<std::string> NextMessage() override;

  // A route: a server, direct or through the proxy.
  void Dial(std::size_t route);
  void ReportAddress();
  void SayWhereTo();
  void OnWardenReadable();
  void OnClockReadable();
  void NoticeDraining(TimePoint now);
  void OnWardenMessage(const LinkMessageView& message);
  void OnBusy(bool busy, TimePoint now);
  void GiveMemoryBack();
  void OnToServer(std::string_view message);
  void OnHangUpAsked(std::string_view payload);
  void Report(const ClientEnd& end);
  void Exit(const Error& why);
  void ToWarden(LinkMessageType type, std::string_view payload);

  const std::vector<std::string> servers_;
  const std::optional<HttpProxy> proxy_;
  std::vector<std::string> last_addresses_;
  std::string last_proxy_address_;
  bool is_closed_in_ = false;   // the machine is isolated
  std::size_t server_ = 0;      // of the connection
  bool through_proxy_ = false;  // the connection
  const int warden_fd_;
  LwsClient& client_;
  WardenPipe& pipe_;
  Dialer dialer_;
  ClockWatch clock_;
  LwsClientConnection* connection_ = nullptr;
  std::string host_;                      // of the connection
  std::string server_detail_;             // of the server's Close frame
  std::optional<std::string> to_server_;  // waits for room in the socket
  bool has_grown_ = false;              // large messages went through since the agent was last idle
  std::optional<CloseReason> closing_;  // the Close frame to send as the last word
  bool is_open_ = false;                // this connection: kOpened was said
  bool heard_server_ = false;           // this connection: warden has had its Challenge
  bool said_hello_ = false;             // this connection: what warden sends is meant for it
  bool greeted_ = false;                // this connection: the server has said Welcome
  bool beat_due_ = false;
  std::size_t undelivered_ = 0;  // bytes at the last look, while a beat is not answered
  bool stopping_ = false;        // AGENT_STOPPING: the next end is the last
  std::optional<int> exit_status_;
};

}  // namespace holdfast::agent
