// ServerLink: one socket of LwsServer, from Adopt() to the last callback of libwebsockets.
//
// Private to this folder. Collects a message while it is partial; knows what closes it and why.
//
// Limits:    max_message_bytes of payload and kMaxFragments pieces a message; at them it closes
// (1009)
//            before the bytes are kept.
// Threading: loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <libwebsockets.h>

#include "backend/adapters/lws/deadline_queue.h"
#include "backend/adapters/lws/lws_server.h"

namespace holdfast::backend {

class ServerCore;

// A request header's text; empty if it is missing or longer than any of ours.
std::string RequestHeader(struct lws* wsi, enum lws_token_indexes token);

// Empty fragments cost their sender two bytes each; more than this many is no message of ours.
inline constexpr std::uint16_t kMaxFragments = 1024;

class ServerLink final : public LwsLink, public DeadlineMember {
 public:
  ServerLink(ServerCore& core, std::string peer_address, std::size_t max_message_bytes);

  void WantWrite() override;
  void Ping() override;
  void Close(std::uint16_t code, std::string_view text) override;
  std::string_view peer_address() const override {
    return peer_address_ == nullptr ? std::string_view() : std::string_view(*peer_address_);
  }
  std::string host() const override;
  void SetMaxMessageBytes(std::size_t bytes) override;

  // From here: called by ServerCore, inside libwebsockets' callbacks. Results are theirs: -1
  // closes.
  void OnCreated(struct lws* wsi) { wsi_ = wsi; }
  int OnEstablished();
  int OnReceive(std::string_view piece);
  void OnPong();
  int OnWriteable();
  void OnTurnEnd();
  void OnPeerClose() { peer_closed_ = true; }
  void OnWsClosed();  // the WebSocket is over; says why if nothing did before
  void OnHttp() { spoke_http_ = true; }
  void OnRefused() { why_ = ServerClose::kRefused; }
  // A deadline passed: the socket goes down now, whatever it is doing.
  void Kill(ServerClose why);

  bool opened() const { return opened_; }
  ServerClose why(bool tls) const;

 private:
  struct Closing {
    std::uint16_t code;
    std::string text;
  };
  enum class Written : std::uint8_t { kAll, kNotAll, kBroken };
  void AwaitRoom();
  // What waits, as far as the socket has room.
  Written Write();
  int Fail(ServerClose why, enum lws_close_status code, std::string_view text);

  ServerCore& core_;
  struct lws* wsi_ = nullptr;
  std::unique_ptr<std::string> peer_address_;  // until OnOpened() has returned
  std::unique_ptr<std::string> partial_;       // only while a message is incomplete
  std::unique_ptr<Closing> closing_;           // only after Close()
  std::uint32_t max_message_bytes_;
  std::uint16_t fragments_ = 0;
  ServerClose why_ = ServerClose::kByPeer;
  bool opened_ = false;
  bool ending_ = false;  // Close() or Fail() was called: waits in `closing`, for nothing else
  bool peer_closed_ = false;
  bool spoke_http_ = false;
  bool wants_ping_ = false;
  bool awaits_turn_end_ = false;
};

// What links share: the queues of waiting links, spare buffers.
//
// A link that wants to write is asked when the turn ends, so that all that the turn brought leaves in one
// send. Only what the socket has no room for waits for the system to say that there is: asking it each time
// costs as much as the send.
class ServerCore {
 public:
  ServerCore(LwsServerDelegate& to, const LwsServer::Options& how);

  // A buffer for a message of `bytes`, from the few kept ones where possible.
  std::unique_ptr<std::string> TakeBuffer(std::size_t bytes);
  void GiveBack(std::unique_ptr<std::string> buffer);
  // Room for what libwebsockets makes a frame of, behind the LWS_PRE bytes that lws_write() wants in front.
  unsigned char* OutBuffer(std::string_view message);
  // What waits for a link, as frames one behind the other, until they are kGatherBytes or more. Valid until
  // the next call. Empty: nothing waits.
  std::span<unsigned char> GatherFrames(LwsLink& link);

  void StartTurn() { in_turn_ = true; }
  void EndTurn();
  // False: no turn is on, and nobody would come back to it.
  bool WriteAtTurnEnd(ServerLink& link);
  void Forget(const ServerLink& link);

  LwsServerDelegate& delegate;
  const LwsServer::Options options;
  std::uint32_t now_s = 0;  // counts seconds since the start: deadlines need no more
  DeadlineQueue handshaking;
  DeadlineQueue writing;
  DeadlineQueue closing;

 private:
  std::vector<std::unique_ptr<std::string>> spare_;
  std::vector<unsigned char> out_;
  std::vector<ServerLink*> turn_;  // who writes when it ends; nullptr: gone since
  bool in_turn_ = false;
};

}  // namespace holdfast::backend
