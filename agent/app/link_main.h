// The link process: one of holdfast-agent's two lasting processes, the one that meets the network.
//
// It has no secret and no authority: it reads where to dial from warden, keeps a WebSocket to one of
// the servers and passes whole messages both ways, unread but for Close, Goaway and Beat. Beats are
// its own, so that warden sleeps while nothing happens.
#pragma once

#include <string_view>

namespace holdfast::agent {

// Runs until warden goes away or asks for AGENT_STOPPING; the exit status of the process. The log level
// is warden's, as a word; one that is none leaves it as it is.
int RunLink(int warden_fd, std::string_view log_level);

}  // namespace holdfast::agent
