#include "tests/bench/seed/client/client_frames.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace holdfast::bench {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
constexpr unsigned char kFinal = 0x80;
constexpr unsigned char kMasked = 0x80;
constexpr std::size_t kMaxHeadBytes = 8192;

std::string Base64(const unsigned char* bytes, std::size_t count) {
  std::string text((count + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock() ends with a zero
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes,
                                     static_cast<int>(count));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::string KeyText(std::uint64_t key) {
  std::array<unsigned char, 16> bytes{};
  std::memcpy(bytes.data(), &key, sizeof key);
  return Base64(bytes.data(), bytes.size());
}

std::string AcceptText(std::uint64_t key) {
  std::string text = KeyText(key);
  text += kGuid;
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return Base64(digest.data(), digest.size());
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The value of one header line, without the white space around it; empty if there is no such line.
std::string_view HeaderValue(std::string_view head, std::string_view lower_name) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    if (line.size() <= lower_name.size() || line[lower_name.size()] != ':') continue;
    if (!std::equal(lower_name.begin(), lower_name.end(), line.begin(),
                    [](char a, char b) { return a == Lower(b); })) {
      continue;
    }
    line.remove_prefix(lower_name.size() + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    while (line.ends_with(' ')) line.remove_suffix(1);
    return line;
  }
  return {};
}

}  // namespace

std::string UpgradeRequest(std::string_view host, std::uint64_t key) {
  std::string request = "GET / HTTP/1.1\r\nHost: ";
  request += host;
  request +=
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: ";
  request += KeyText(key);
  request += "\r\n\r\n";
  return request;
}

Parsed ParseUpgradeAnswer(std::string_view bytes, std::uint64_t key, std::size_t& bytes_used) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t end = bytes.find(kEnd);
  if (end == std::string_view::npos) {
    return bytes.size() > kMaxHeadBytes ? Parsed::kBad : Parsed::kPartial;
  }
  const std::string_view head = bytes.substr(0, end);
  const bool good = head.starts_with("HTTP/1.1 101") &&
                    HeaderValue(head, "sec-websocket-accept") == AcceptText(key) &&
                    HeaderValue(head, "sec-websocket-extensions").empty();
  bytes_used = end + kEnd.size();
  return good ? Parsed::kWhole : Parsed::kBad;
}

void AppendFrame(std::string& to, Opcode opcode, std::string_view payload, std::uint32_t mask) {
  // A control frame has at most 125 bytes (5.5), a request of ours far less.
  payload = payload.substr(0, 125);
  std::array<char, 4> key{};
  std::memcpy(key.data(), &mask, sizeof mask);
  to += static_cast<char>(kFinal | static_cast<unsigned char>(opcode));
  to += static_cast<char>(kMasked | payload.size());
  to.append(key.data(), key.size());
  for (std::size_t i = 0; i < payload.size(); ++i) {
    to += static_cast<char>(payload[i] ^ key[i % 4]);
  }
}

Parsed ParseServerFrame(std::string_view bytes, ServerFrame& frame) {
  if (bytes.size() < 2) return Parsed::kPartial;
  const auto byte = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned int opcode = byte(0) & 0x0F;
  const bool known = opcode == 1 || (opcode >= 8 && opcode <= 10);
  // Whole, no extension's bits, not masked, and nothing that this protocol has no use for.
  if ((byte(0) & 0xF0) != kFinal || !known || (byte(1) & kMasked) != 0) return Parsed::kBad;
  std::size_t length = byte(1);
  std::size_t header = 2;
  if (length == 126) {
    header = 4;
    if (bytes.size() < header) return Parsed::kPartial;
    length = std::size_t{byte(2)} << 8 | byte(3);
  }
  if (length > kMaxFrameBytes || byte(1) == 127) return Parsed::kBad;
  if (bytes.size() < header + length) return Parsed::kPartial;
  frame = {static_cast<Opcode>(opcode), bytes.substr(header, length), header + length};
  return Parsed::kWhole;
}

}  // namespace holdfast::bench
