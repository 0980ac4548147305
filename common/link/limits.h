// The declared limits and times of the link protocol, each with its reason. docs/protocol.md
// repeats them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/time.h"

namespace holdfast::link {

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr char kSubprotocol[] = "holdfast.link.v1";
inline constexpr char kPath[] = "/agent/v1";

// One WebSocket message: a 256 KiB chunk and 64 KiB of control frames beside it.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{320} * 1024;
// Before Welcome nothing larger than a Hello is due: a stranger cannot make us hold more.
inline constexpr std::size_t kMaxGreetingBytes = std::size_t{8} * 1024;
inline constexpr int kMaxFramesPerMessage = 64;
inline constexpr std::size_t kMaxChunkBytes = std::size_t{256} * 1024;
// Below it the frame around a chunk and what each chunk costs on the way would weigh more than its bytes.
inline constexpr std::size_t kMinChunkBytes = std::size_t{4} * 1024;
// While no link has shown what its path carries: 2 s at 64 kbit/s.
inline constexpr std::size_t kUnmeasuredChunkBytes = std::size_t{16} * 1024;
// What a record takes on the way beside its payload, roughly: digest, numbers, headers.
inline constexpr std::size_t kRecordOverheadBytes = 64;
inline constexpr int kMaxSyncStreams = 64;
// An attempt is one start of a command: an endpoint that restarts every minute gets here after two years. Whoever can
// write to Redis could else have an agent count on from the largest number that there is.
inline constexpr std::uint32_t kMaxAttempt = 1U << 20;
constexpr bool IsAttempt(std::uint32_t number) { return number > 0 && number <= kMaxAttempt; }
// Sealed input of a terminal: with the numbers around it below PIPE_BUF (common/pty/records.h).
inline constexpr std::size_t kMinSealedInputBytes = 17;
inline constexpr std::size_t kMaxSealedInputBytes = 4000;
// A closing peer's words.
inline constexpr std::size_t kMaxDetailBytes = 256;

// Window of a stream before the first Ack grants one: one full chunk.
inline constexpr std::uint32_t kInitialWindowBytes = 256 * 1024;
// Largest window control grants: 150 MB/s at the ~10 ms that store and ack take, with room.
inline constexpr std::uint32_t kMaxWindowBytes = 4 * 1024 * 1024;
// Records without progress for this long are sent again (Redis may have forgotten them); later, where a
// slow path needs longer (PathMeter::patience).
inline constexpr Duration kAckTimeout = std::chrono::seconds(10);

inline constexpr Duration kFirstMessageTimeout = std::chrono::seconds(10);
inline constexpr Duration kClaimTimeout = std::chrono::seconds(10);  // control's answer to Claim
inline constexpr Duration kBeatIdle =
    std::chrono::seconds(60);  // +-10 %: NATs forget after minutes
inline constexpr Duration kBeatBusy = std::chrono::seconds(25);  // +-20 %: dead peer known <= 45 s
// On the link after one that ended as a path ends that forgets quiet flows: below the 60 s that
// common NATs and proxies allow, jitter included.
inline constexpr Duration kBeatAfterCut = std::chrono::seconds(40);
inline constexpr Duration kBeatAnswer = std::chrono::seconds(10);  // a beat is answered within
// ... and after a suspend, where a dead link is likely: hang up, close (3 s) and dial within 10 s.
inline constexpr Duration kWakeAnswer = std::chrono::seconds(4);
inline constexpr Duration kTcpUserTimeout =
    std::chrono::seconds(20);  // unacked bytes on a dead path
inline constexpr Duration kSlowConsumer =
    std::chrono::seconds(15);  // queue at its bound for this long
// Per link, in a gateway. With the message that its socket has half taken: below 1 MiB for a frozen reader.
inline constexpr std::size_t kMaxLinkQueueBytes = std::size_t{640} * 1024;

}  // namespace holdfast::link
