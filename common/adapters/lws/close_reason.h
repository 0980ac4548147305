// ReasonOf: what the transport saw of a link's end, in the words of the catalogue.
//
// docs/protocol.md 3: a WebSocket close code 4400 + CloseReason says the reason where no Close frame
// could be sent; HTTP 503 is admission (TRY_LATER), any other refusal is not our server (NOT_A_LINK).
#pragma once

#include "common/adapters/lws/lws_client.h"
#include "common/link/codec.h"

namespace holdfast {

link::CloseReason ReasonOf(const ClientEnd& end);

}  // namespace holdfast
