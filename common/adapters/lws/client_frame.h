// MaskedFrame: one whole binary WebSocket message as a client sends it (RFC 6455, 5.2 and 5.3).
//
// libwebsockets can do this too, but masks byte by byte through memory: half of what the agent's link
// spent on an upload over plain TCP. This masks eight bytes at a time while it copies.
//
// Threading: pure function.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::lws {

std::string MaskedFrame(std::string_view payload, const std::array<std::uint8_t, 4>& mask);

}  // namespace holdfast::lws
