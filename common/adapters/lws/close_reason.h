// ReasonOf: what the transport saw of a link's end, in the words of the catalogue.
//
// docs/protocol.md 3: a WebSocket close code 4400 + CloseReason says the reason where no Close frame
// could be sent. Our gateways name themselves in the Server header of what they refuse: 503 is admission
// (TRY_LATER), 426 says that the upgrade was taken off the request on its way, anything else that we
// asked for what is not there (NOT_A_LINK). An answer of anybody else: UPGRADE_BLOCKED.
#pragma once

#include "common/adapters/lws/lws_client.h"
#include "common/link/codec.h"

namespace holdfast {

link::CloseReason ReasonOf(const ClientEnd& end);

}  // namespace holdfast
