// What a WebSocket client says and hears, as bytes (RFC 6455): the upgrade, text frames, answers.
//
// Only what the seed's protocol needs: no extension, no subprotocol, messages of one frame.
//
// Limits:    kMaxFrameBytes a frame; a larger one is an error.
// Threading: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::bench {

inline constexpr std::size_t kMaxFrameBytes = 4096;

enum class Opcode : std::uint8_t { kText = 1, kClose = 8, kPing = 9, kPong = 10 };

// `key` tells connections apart; nobody has to be unable to guess it here.
std::string UpgradeRequest(std::string_view host, std::uint64_t key);

enum class Parsed : std::uint8_t { kWhole, kPartial, kBad };

// The head of the server's answer to UpgradeRequest(). `bytes_used` is set when it is whole: it may have
// come together with the first frames. kBad: not a 101, not the answer to this key, or an extension.
Parsed ParseUpgradeAnswer(std::string_view bytes, std::uint64_t key, std::size_t& bytes_used);

// `mask` must not repeat predictably on a real network; here it only has to be there.
void AppendFrame(std::string& to, Opcode opcode, std::string_view payload, std::uint32_t mask);

struct ServerFrame {
  Opcode opcode = Opcode::kText;
  std::string_view payload;    // into the bytes that were parsed
  std::size_t bytes_used = 0;  // header and payload
};
Parsed ParseServerFrame(std::string_view bytes, ServerFrame& frame);

}  // namespace holdfast::bench
