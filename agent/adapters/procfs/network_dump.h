// ReadNetworkDump: what rtnetlink(7) lists, message for message.
#pragma once

#include <string>

#include "agent/tables/machine.h"

namespace holdfast::agent {

// 0 or an errno. Appends whole datagrams until the kernel says that it is done, or
// kMaxNetworkDumpBytes.
int ReadNetworkDump(NetworkDump what, std::string& messages);

}  // namespace holdfast::agent
