// What the kernel knows of a TCP socket and lws does not tell.
//
// Threading: pure function of the socket.
#pragma once

#include <cstdint>

namespace holdfast::lws {

// Payload bytes that ever arrived, read or not, and one more once the peer has ended its side; 0 where
// that cannot be said.
std::uint64_t BytesReceived(int fd);

}  // namespace holdfast::lws
