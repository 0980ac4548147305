// CompileFilter: what tcpdump(8) takes as an expression, as instructions that an endpoint's kernel runs on each packet.
//
// The instructions ask for the kind of the interface first: Ethernet (and loopback) frames go through one program,
// those that begin with IP (tunnels) through another; what cannot be said of such a frame, as "arp", never holds there.
//
// Limits:    kMaxFilterInstructions together.
// Threading: any thread; libpcap's compiler is entered by one at a time.
// Errors:    kInvalid: libpcap's words about the expression.
// Design:    docs/decisions/0127-capture.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace holdfast::backend {

inline constexpr std::size_t kMaxFilterInstructions = 4000;  // command.proto, CaptureArgs.filter

// As CaptureArgs.filter holds it; empty for an empty expression.
Result<std::string> CompileFilter(const std::string& expression, std::uint32_t snap_bytes);

}  // namespace holdfast::backend
