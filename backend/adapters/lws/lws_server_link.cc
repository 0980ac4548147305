#include "backend/adapters/lws/lws_server_link.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace holdfast::backend {
namespace {

// A reader that takes nothing for this long while something waits for it (delivery.md section 7).
constexpr std::uint32_t kStallSeconds = 15;
// For the peer's answer to our close frame; libwebsockets' own value.
constexpr std::uint32_t kCloseSeconds = 5;
// Writes to one link in one turn of the loop, so that a fast reader does not starve the others.
constexpr int kWritesPerTurn = 16;
// Messages are gathered into one write up to here: beyond, a system call more no longer shows.
constexpr std::size_t kGatherBytes = std::size_t{16} * 1024;
// Kept buffers: enough that bulk uploads do not return each chunk's memory to the system.
constexpr std::size_t kSpareBuffers = 8;
// Larger buffers than this are not kept.
constexpr std::size_t kMaxSpareBytes = std::size_t{1024} * 1024;

// RFC 6455, 5.2: a whole message in one frame, from a server, so without a mask.
constexpr unsigned char kFinal = 0x80;
constexpr unsigned char kTextFrame = kFinal | 0x01;
constexpr unsigned char kBinaryFrame = kFinal | 0x02;
constexpr std::size_t kMaxFrameHeaderBytes = 10;

std::size_t WriteFrameHeader(unsigned char* to, unsigned char first, std::uint64_t payload_bytes) {
  const int length_bytes = payload_bytes < 126 ? 0 : payload_bytes < 65536 ? 2 : 8;
  *to++ = first;
  *to++ = length_bytes == 0   ? static_cast<unsigned char>(payload_bytes)
          : length_bytes == 2 ? 126
                              : 127;
  for (int i = length_bytes - 1; i >= 0; --i) {
    *to++ = static_cast<unsigned char>(payload_bytes >> (8 * i));
  }
  return static_cast<std::size_t>(2 + length_bytes);
}

std::uint32_t WholeSeconds(Duration duration) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return static_cast<std::uint32_t>(std::max<std::int64_t>(seconds, 1));
}

}  // namespace

ServerCore::ServerCore(LwsServerDelegate& to, const LwsServer::Options& how)
    : delegate(to),
      options(how),
      handshaking(WholeSeconds(how.handshake_timeout)),
      writing(kStallSeconds),
      closing(kCloseSeconds) {}

std::unique_ptr<std::string> ServerCore::TakeBuffer(std::size_t bytes) {
  std::unique_ptr<std::string> buffer;
  if (spare_.empty()) {
    buffer = std::make_unique<std::string>();
  } else {
    buffer = std::move(spare_.back());
    spare_.pop_back();
  }
  buffer->reserve(bytes);
  return buffer;
}

void ServerCore::GiveBack(std::unique_ptr<std::string> buffer) {
  if (spare_.size() >= kSpareBuffers || buffer->capacity() > kMaxSpareBytes) return;
  buffer->clear();
  spare_.push_back(std::move(buffer));
}

unsigned char* ServerCore::OutBuffer(std::string_view message) {
  if (out_.size() < LWS_PRE + message.size()) out_.resize(LWS_PRE + message.size());
  std::memcpy(out_.data() + LWS_PRE, message.data(), message.size());
  return out_.data() + LWS_PRE;
}

std::span<unsigned char> ServerCore::GatherFrames(LwsLink& link) {
  const unsigned char opcode = options.messages == MessageKind::kText ? kTextFrame : kBinaryFrame;
  std::size_t end = LWS_PRE;
  while (end < LWS_PRE + kGatherBytes) {
    const std::optional<std::string> message = delegate.NextMessage(link);
    if (!message) break;
    if (out_.size() < end + kMaxFrameHeaderBytes + message->size()) {
      out_.resize(end + kMaxFrameHeaderBytes + message->size());
    }
    end += WriteFrameHeader(out_.data() + end, opcode, message->size());
    std::memcpy(out_.data() + end, message->data(), message->size());
    end += message->size();
  }
  return {out_.data() + LWS_PRE, end - LWS_PRE};
}

bool ServerCore::WriteAtTurnEnd(ServerLink& link) {
  if (in_turn_) turn_.push_back(&link);
  return in_turn_;
}

void ServerCore::EndTurn() {
  in_turn_ = false;  // from here to the next turn there is no end to wait for
  for (std::size_t i = 0; i < turn_.size(); ++i) {
    if (turn_[i] != nullptr) turn_[i]->OnTurnEnd();  // may end it
  }
  turn_.clear();
}

void ServerCore::Forget(const ServerLink& link) {
  const auto found = std::find(turn_.begin(), turn_.end(), &link);
  if (found != turn_.end()) *found = nullptr;
}

ServerLink::ServerLink(ServerCore& core, std::string peer_address, std::size_t max_message_bytes)
    : core_(core), peer_address_(std::make_unique<std::string>(std::move(peer_address))) {
  SetMaxMessageBytes(max_message_bytes);
}

void ServerLink::SetMaxMessageBytes(std::size_t bytes) {
  constexpr std::size_t kMost = std::size_t{64} * 1024 * 1024;  // far above any message of ours
  max_message_bytes_ = static_cast<std::uint32_t>(std::min(bytes, kMost));
}

std::string RequestHeader(struct lws* wsi, enum lws_token_indexes token) {
  std::array<char, 300> text{};  // a host name has at most 253 bytes
  const int length = lws_hdr_copy(wsi, text.data(), static_cast<int>(text.size()), token);
  return length <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(length));
}

std::string ServerLink::host() const {
  std::string host = RequestHeader(wsi_, WSI_TOKEN_HOST);
  const std::size_t bracket = host.find(']');  // "[::1]:8443": the colon behind the bracket
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    host.resize(colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

void ServerLink::WantWrite() {
  if (awaits_turn_end_) return;
  const bool awaits_room = ending_ || waiting_in(core_.writing);
  awaits_turn_end_ = !awaits_room && core_.WriteAtTurnEnd(*this);
  if (!awaits_turn_end_) AwaitRoom();
}

void ServerLink::AwaitRoom() {
  if (!ending_ && !waiting_in(core_.writing)) core_.writing.Join(*this, core_.now_s);
  lws_callback_on_writable(wsi_);
}

void ServerLink::OnTurnEnd() {
  awaits_turn_end_ = false;
  // Goodbyes, ours, the peer's and libwebsockets' own, and what it still holds back are its to send, when
  // the system says that there is room.
  const bool closes = ending_ || peer_closed_ || lws_get_close_length(wsi_) > 0;
  if (closes || lws_partial_buffered(wsi_) != 0) return AwaitRoom();
  const Written written = Write();
  if (written == Written::kBroken) return Kill(ServerClose::kByPeer);
  if (written == Written::kNotAll) AwaitRoom();
}

void ServerLink::Ping() {
  wants_ping_ = true;
  WantWrite();
}

void ServerLink::Close(std::uint16_t code, std::string_view text) {
  if (ending_) return;
  ending_ = true;
  closing_ = std::make_unique<Closing>(Closing{code, std::string(text)});
  why_ = ServerClose::kByUs;
  core_.closing.Join(*this, core_.now_s);
  lws_callback_on_writable(wsi_);
}

int ServerLink::OnEstablished() {
  Leave();  // the handshake is over
  opened_ = true;
  core_.delegate.OnOpened(*this);
  peer_address_.reset();  // whoever needs it has it
  return 0;
}

int ServerLink::Fail(ServerClose why, enum lws_close_status code, std::string_view text) {
  why_ = why;
  ending_ = true;
  partial_.reset();
  // The text is copied; the interface is older than const.
  lws_close_reason(wsi_, code, reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
                   text.size());
  core_.closing.Join(*this, core_.now_s);
  return -1;
}

int ServerLink::OnReceive(std::string_view piece) {
  if (ending_) return 0;  // nothing more is of interest
  const bool is_binary = lws_frame_is_binary(wsi_) != 0;
  if (is_binary != (core_.options.messages == MessageKind::kBinary)) {
    return Fail(ServerClose::kProtocol, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE,
                is_binary ? "text only" : "binary only");
  }
  const std::size_t kept = partial_ == nullptr ? 0 : partial_->size();
  const std::size_t rest = lws_remaining_packet_payload(wsi_);
  // Each term is compared alone first: a frame may claim 2^63-1 bytes.
  if (rest > max_message_bytes_ || kept + piece.size() + rest > max_message_bytes_) {
    return Fail(ServerClose::kTooLarge, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "message too large");
  }
  const bool complete = lws_is_final_fragment(wsi_) != 0;
  if (complete && partial_ == nullptr) {
    core_.delegate.OnMessage(*this, piece);
    return 0;
  }
  if (rest == 0 && ++fragments_ > kMaxFragments) {
    return Fail(ServerClose::kTooLarge, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, "too many fragments");
  }
  if (partial_ == nullptr) partial_ = core_.TakeBuffer(piece.size() + rest);
  partial_->append(piece);
  if (!complete) return 0;
  fragments_ = 0;
  std::unique_ptr<std::string> whole = std::move(partial_);
  core_.delegate.OnMessage(*this, *whole);
  core_.GiveBack(std::move(whole));
  return 0;
}

void ServerLink::OnPong() {
  if (!ending_) core_.delegate.OnPong(*this);
}

ServerLink::Written ServerLink::Write() {
  if (wants_ping_ && !ending_) {
    wants_ping_ = false;
    // Not an empty one: libwebsockets keeps the answer to that to itself.
    constexpr std::string_view kWord = "?";
    if (lws_write(wsi_, core_.OutBuffer(kWord), kWord.size(), LWS_WRITE_PING) < 0) {
      return Written::kBroken;
    }
    return Written::kNotAll;  // messages have their turn when the ping is gone
  }
  for (int i = 0; i < kWritesPerTurn; ++i) {
    const std::span<unsigned char> frames = core_.GatherFrames(*this);
    if (frames.empty()) return Written::kAll;
    // LWS_WRITE_HTTP: as it is. Frames of its own making libwebsockets sends one by one.
    if (lws_write(wsi_, frames.data(), frames.size(), LWS_WRITE_HTTP) < 0) return Written::kBroken;
    // What the socket did not take is kept by libwebsockets, which then asks again only after it is
    // gone; one write at most.
    if (lws_partial_buffered(wsi_) != 0) break;
    if (frames.size() < kGatherBytes) return Written::kAll;
    if (lws_send_pipe_choked(wsi_) != 0) break;
  }
  return Written::kNotAll;
}

int ServerLink::OnWriteable() {
  if (ending_ && closing_ == nullptr) return 0;
  if (!ending_) Leave();
  const Written written = Write();
  if (written == Written::kBroken) return -1;
  if (written == Written::kNotAll) AwaitRoom();
  if (written == Written::kNotAll || closing_ == nullptr) return 0;
  lws_close_reason(wsi_, static_cast<enum lws_close_status>(closing_->code),
                   reinterpret_cast<unsigned char*>(closing_->text.data()), closing_->text.size());
  return -1;
}

void ServerLink::OnWsClosed() {
  // libwebsockets notes a status of its own when the peer breaks the protocol.
  if (why_ == ServerClose::kByPeer && !peer_closed_ && lws_get_close_length(wsi_) > 0) {
    why_ = ServerClose::kProtocol;
  }
}

void ServerLink::Kill(ServerClose why) {
  if (why_ == ServerClose::kByPeer) why_ = why;
  // Bytes that wait inside libwebsockets would keep the socket open; now they cannot be sent.
  ::shutdown(lws_get_socket_fd(wsi_), SHUT_RDWR);
  lws_set_timeout(wsi_, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);  // may delete this
}

ServerClose ServerLink::why(bool tls) const {
  if (opened_ || why_ != ServerClose::kByPeer) return why_;
  return spoke_http_ || !tls ? ServerClose::kNotALink : ServerClose::kTlsFailed;
}

}  // namespace holdfast::backend
