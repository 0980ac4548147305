// What warden and link say to each other over their socketpair: u32le length | u8 type | payload.
//
// length counts type and payload. Link has no authority: whatever arrives in kFromServer is as
// hostile as the network. Payloads are raw bytes unless said.
//
// Limits:    kMaxLinkMessageBytes; a longer length ends the link process (and warden starts
// another).
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::agent {

enum class LinkMessageType : std::uint8_t {
  // warden -> link
  kConfig =
      1,  // first, once: serialized holdfast.command.v1.Bundle without token (servers, ca_pem)
  kToServer = 2,  // a serialized LinkMessage to send
  kBusy = 3,      // 1 byte: 1 = commands are open (beat every 25 s), 0 = idle (60 s)
  kHangUp = 4,    // u16le CloseReason | detail: send Close, close, redial as the reason says
  kRoutes = 6,    // before kConfig, or not at all: text of agent/app/link_routes.h
  kWelcomed = 5,  // u32le idle beat s | u32le busy beat s: warden accepted Welcome; beats may start
  kClosedIn = 7,  // 1 byte: 1 = this machine is isolated: say kDialling before a dial; 0 = no more
  // link -> warden
  kOpened = 16,      // the WebSocket is up; payload: host that was dialled (server name)
  kFromServer = 17,  // a serialized LinkMessage (never one that held only a Beat)
  kReached =
      19,  // "SERVER ADDRESS": where the server was found; or "proxy ADDRESS"; warden keeps it
  kDialling = 20,  // "SERVER ADDRESS...", or "proxy ADDRESS...": where it is about to be looked for
  kClosed = 18,    // u16le CloseReason | detail: the connection is gone; link will dial again
};

// A LinkMessage (320 KiB) and its type.
inline constexpr std::size_t kMaxLinkMessageBytes = std::size_t{321} * 1024;

}  // namespace holdfast::agent
