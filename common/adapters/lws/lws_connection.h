// LwsConnection: one outgoing WebSocket, from dial to end, as lws's callbacks drive it.
//
// Translates lws_callback_reasons into delegate calls and keeps what they need in between: a
// partial inbound message, how it ended, whether a close is under way.
//
//   dialling --> open --> closing --> over          (any state may go straight to over)
//
// Ownership: owned by LwsClient; borrows its delegate and lws's wsi.
// Threading: loop thread only.
#pragma once

#include <string>

#include <libwebsockets.h>
#include <netinet/in.h>

#include "common/adapters/lws/lws_client.h"

namespace holdfast::lws {

class LwsConnection final : public LwsClientConnection {
 public:
  LwsConnection(const LwsClient::Options& options, std::string subprotocol,
                LwsClientDelegate& delegate)
      : options_(options), subprotocol_(std::move(subprotocol)), delegate_(delegate) {}

  void WantWrite() override;
  std::size_t Undelivered() const override;
  void Pause(bool paused) override;
  void Close(std::uint16_t code) override;
  void Abort() override;
  const std::string& peer_address() const override { return peer_address_; }
  bool used_last_address() const override { return used_last_address_; }

  // Dials within `context`. Ends with nothing said to the delegate: a failure comes out of
  // TakeEnd().
  void Start(lws_context* context, const ServerUrl& url, const LwsClientTarget& target);
  // lws's callback for this connection; non-zero makes lws close it.
  int OnCallback(struct ::lws* wsi, lws_callback_reasons reason, void* in, std::size_t len);
  void OnCertificateRefused(int x509_error);
  // Over and not yet reported: tells the delegate. True once: then the owner destroys this.
  bool ReportEnd();

 private:
  enum class State : std::uint8_t { kDialling, kOpen, kClosing, kOver };
  struct Deadline {  // standard layout: lws hands back the address of its first member
    lws_sorted_usec_list_t timer{};
    LwsConnection* owner = nullptr;
  };

  // The socket to the proxy's tunnel, -1 without a proxy; nullopt: it did not open, and End() was said.
  std::optional<int> Tunnel(const ServerUrl& url, const LwsClientTarget& target);
  void OnUpgradeAsked(struct ::lws* wsi);
  int OnPreEstablish();
  void OnConnectionError(std::string text);
  bool HeardSomething() const;
  void OnEstablished();
  void OnReceive(std::string_view piece);
  // Closes for a breach of the peer's: `code` goes out, what comes in is dropped.
  void Refuse(ClientClose why, std::uint16_t code, std::string detail);
  int OnWriteable();
  void OnPeerClose(std::string_view payload);
  void End(ClientClose why, std::string detail);
  void Arm(Duration after);
  void Disarm();
  void Kill();

  const LwsClient::Options& options_;
  const std::string subprotocol_;
  LwsClientDelegate& delegate_;
  lws_context* context_ = nullptr;
  struct ::lws* wsi_ = nullptr;
  State state_ = State::kDialling;
  ClientEnd end_;
  std::string peer_address_;
  bool used_last_address_ = false;
  bool has_end_ = false;  // the first reason stands
  bool reported_ = false;
  bool tls_ = false;
  bool asked_upgrade_ = false;
  std::uint64_t received_before_upgrade_ = 0;  // bytes of the peer, by then
  bool last_write_done_ = false;               // closing: NextMessage() was asked for the last time
  std::uint16_t close_code_ = 0;               // closing: what to say
  std::string received_;                       // pieces of a message whose end is not here yet
  Deadline deadline_;                          // of the handshake, later of the close
};

}  // namespace holdfast::lws
