#include "backend/fleet/ws_client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace holdfast::fleet {
namespace {

constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReservedBits = 0x70;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::uint8_t kOneByteMost = 125;
constexpr std::uint8_t kTwoByteLength = 126;
constexpr std::uint8_t kEightByteLength = 127;
constexpr auto kBroken = static_cast<WsOpcode>(15);
constexpr std::size_t kMaxServerName = 64;  // ClientEnd::http_server

char LowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerAscii(x) == LowerAscii(y); });
}

// The value of the first header of this name; empty if there is none.
std::string_view HeaderOf(std::string_view answer, std::string_view name) {
  std::size_t at = answer.find("\r\n");
  while (at != std::string_view::npos) {
    at += 2;
    const std::size_t end = answer.find("\r\n", at);
    const std::string_view line = answer.substr(at, end - at);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && SameIgnoringCase(line.substr(0, colon), name)) {
      std::string_view value = line.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      while (value.ends_with(' ')) value.remove_suffix(1);
      return value;
    }
    at = end;
  }
  return {};
}

template <typename Number>
Number NumberOf(std::string_view text) {
  Number out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() ? out : Number{0};
}

bool IsControl(WsOpcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

}  // namespace

void AppendFrame(std::string& out, WsOpcode opcode, std::string_view payload, std::uint32_t mask) {
  out.reserve(out.size() + 14 + payload.size());
  out += static_cast<char>(kFinal | static_cast<std::uint8_t>(opcode));
  const std::size_t size = payload.size();
  if (size <= kOneByteMost) {
    out += static_cast<char>(kMasked | size);
  } else if (size <= 0xffff) {
    out += static_cast<char>(kMasked | kTwoByteLength);
    for (int shift = 8; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
  } else {
    out += static_cast<char>(kMasked | kEightByteLength);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
  }
  std::array<char, 4> key{};
  std::memcpy(key.data(), &mask, key.size());
  out.append(key.data(), key.size());
  const std::size_t at = out.size();
  out += payload;
  for (std::size_t i = 0; i < size; ++i) out[at + i] = static_cast<char>(out[at + i] ^ key[i % 4]);
}

std::string CloseFrame(std::uint16_t code, std::uint32_t mask) {
  const std::string payload{static_cast<char>(code >> 8), static_cast<char>(code)};
  std::string out;
  AppendFrame(out, WsOpcode::kClose, payload, mask);
  return out;
}

std::string UpgradeRequest(const WsUpgrade& upgrade) {
  return "GET " + upgrade.path + " HTTP/1.1\r\nHost: " + upgrade.host +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + upgrade.key +
         "\r\nSec-WebSocket-Protocol: " + upgrade.subprotocol +
         "\r\nSec-WebSocket-Version: 13\r\n\r\n";
}

WsClient::WsClient(std::string accept, std::string subprotocol, std::size_t max_message_bytes)
    : handshake_(std::make_unique<Handshake>(Handshake{std::move(accept), std::move(subprotocol)})),
      max_message_bytes_(static_cast<std::uint32_t>(max_message_bytes)) {}

void WsClient::OnBytes(std::string_view bytes) {
  if (partial_ == nullptr) {
    input_ = bytes;
    return;
  }
  partial_->append(bytes);
  input_ = *partial_;
}

std::optional<WsEvent> WsClient::Next() {
  complete_.reset();
  if (over_) return std::nullopt;
  auto event = handshake_ != nullptr ? NextOfAnswer() : NextOfFrames();
  if (!event) KeepRest();
  return event;
}

void WsClient::KeepRest() {
  if (over_ || input_.empty()) {
    partial_.reset();
  } else if (partial_ == nullptr) {
    partial_ = std::make_unique<std::string>(input_);
  } else {
    partial_->erase(0, partial_->size() - input_.size());
  }
  input_ = {};
}

WsEvent WsClient::Over(ClientClose why, std::string detail) {
  over_ = true;
  WsEvent event;
  event.end.why = why;
  event.end.detail = std::move(detail);
  return event;
}

std::optional<WsEvent> WsClient::NextOfAnswer() {
  const std::size_t end = input_.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (input_.size() > kMaxAnswerBytes) return Over(ClientClose::kNotHttp, "an endless answer");
    return std::nullopt;
  }
  const std::string_view answer = input_.substr(0, end + 2);
  input_.remove_prefix(end + 4);
  return OnAnswer(answer);
}

std::optional<WsEvent> WsClient::OnAnswer(std::string_view answer) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (!answer.starts_with(kVersion)) return Over(ClientClose::kNotHttp, "the answer is not HTTP");
  const int status = NumberOf<int>(answer.substr(kVersion.size(), 3));
  if (status != 101) {
    WsEvent refused = Over(ClientClose::kRefused, "HTTP " + std::to_string(status));
    refused.end.http_status = status;
    refused.end.retry_after_s = NumberOf<std::uint32_t>(HeaderOf(answer, "Retry-After"));
    refused.end.http_server = std::string(HeaderOf(answer, "Server").substr(0, kMaxServerName));
    return refused;
  }
  if (HeaderOf(answer, "Sec-WebSocket-Accept") != handshake_->accept ||
      HeaderOf(answer, "Sec-WebSocket-Protocol") != handshake_->subprotocol ||
      !HeaderOf(answer, "Sec-WebSocket-Extensions").empty()) {
    return Over(ClientClose::kProtocol, "a 101 that answers another request");
  }
  handshake_.reset();
  WsEvent opened;
  opened.kind = WsEvent::Kind::kOpened;
  return opened;
}

std::optional<WsClient::Header> WsClient::ReadHeader() const {
  if (input_.size() < 2) return std::nullopt;
  const auto first = static_cast<std::uint8_t>(input_[0]);
  const auto second = static_cast<std::uint8_t>(input_[1]);
  Header header;
  header.final = (first & kFinal) != 0;
  header.opcode = static_cast<WsOpcode>(first & 0x0f);
  const std::uint8_t length = second & 0x7f;
  std::size_t extra = 0;
  if (length == kTwoByteLength) extra = 2;
  if (length == kEightByteLength) extra = 8;
  header.header_bytes = 2 + extra;
  if (input_.size() < header.header_bytes) return std::nullopt;
  header.payload_bytes = extra == 0 ? length : 0;
  for (std::size_t i = 0; i < extra; ++i) {
    header.payload_bytes = header.payload_bytes << 8 | static_cast<std::uint8_t>(input_[2 + i]);
  }
  // A server does not mask (5.1), and no extension was agreed on. Control frames are short and whole (5.5).
  const bool breaks = (first & kReservedBits) != 0 || (second & kMasked) != 0 ||
                      (IsControl(header.opcode) && (length > kOneByteMost || !header.final));
  if (breaks) header.opcode = kBroken;
  return header;
}

std::optional<WsEvent> WsClient::NextOfFrames() {
  for (;;) {
    const std::optional<Header> header = ReadHeader();
    if (!header) return std::nullopt;
    if (header->opcode == kBroken) return Over(ClientClose::kProtocol, "a broken frame");
    const std::size_t so_far = message_ == nullptr ? 0 : message_->size();
    if (header->payload_bytes > max_message_bytes_ - so_far) {
      return Over(ClientClose::kTooLarge, "a message above the limit");
    }
    const auto payload_bytes = static_cast<std::size_t>(header->payload_bytes);
    if (input_.size() < header->header_bytes + payload_bytes) return std::nullopt;
    const std::string_view payload = input_.substr(header->header_bytes, payload_bytes);
    input_.remove_prefix(header->header_bytes + payload_bytes);
    if (auto event = OnFrame(*header, payload)) return event;
  }
}

std::optional<WsEvent> WsClient::OnFrame(const Header& header, std::string_view payload) {
  switch (header.opcode) {
    case WsOpcode::kContinuation:
    case WsOpcode::kBinary: return OnData(header, payload);
    case WsOpcode::kPong: return std::nullopt;
    case WsOpcode::kPing: {
      WsEvent ping;
      ping.kind = WsEvent::Kind::kPing;
      ping.bytes = payload;
      return ping;
    }
    case WsOpcode::kClose: {
      WsEvent closed = Over(ClientClose::kByPeer, {});
      if (payload.size() >= 2) {
        closed.end.close_code = static_cast<std::uint16_t>(
            static_cast<std::uint8_t>(payload[0]) << 8 | static_cast<std::uint8_t>(payload[1]));
        closed.end.detail = std::string(payload.substr(2));
      }
      return closed;
    }
    default: return Over(ClientClose::kProtocol, "a frame of an unknown kind");
  }
}

std::optional<WsEvent> WsClient::OnData(const Header& header, std::string_view payload) {
  const bool goes_on = header.opcode == WsOpcode::kContinuation;
  if (goes_on != (message_ != nullptr)) return Over(ClientClose::kProtocol, "a stray fragment");
  WsEvent whole;
  whole.kind = WsEvent::Kind::kMessage;
  if (!goes_on && header.final) {
    whole.bytes = payload;
    return whole;
  }
  if (message_ == nullptr) message_ = std::make_unique<std::string>();
  message_->append(payload);
  if (!header.final) return std::nullopt;
  complete_ = std::move(message_);
  whole.bytes = *complete_;
  return whole;
}

}  // namespace holdfast::fleet
