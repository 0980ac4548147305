// The TLS side of LwsServer: what OpenSSL must be told that libwebsockets has no option for.
//
// Limits:    TLS 1.2 and 1.3 with AEAD suites only; no renegotiation and no session cache. Tickets in TLS 1.3
//            alone, one after each full handshake, with a new key exchange (psk_dhe_ke), without early data, for
//            kTicketLife, and for the certificate under which they were given.
// Errors:    CheckCertificate(): kInvalid; the message names the file and OpenSSL's reason.
#pragma once

#include <optional>
#include <string>

#include "backend/core/ticket_keys.h"
#include "common/base/result.h"

struct ssl_st;

namespace holdfast::backend {

// TLS 1.2 suites; all of TLS 1.3's are AEAD. AES-128 first: agents pay for each round.
inline constexpr char kTls12Suites[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";

// libwebsockets only says that a vhost failed; this says why, before it tries.
Status CheckCertificate(const std::string& cert_file, const std::string& key_file);

// `ssl_ctx` is the SSL_CTX of a new vhost; `tickets` outlives it, and may change. Empty: no tickets.
void TuneServerTls(void* ssl_ctx, const std::optional<TicketKeyPair>& tickets);

// After its handshake.
bool IsResumed(const ssl_st* ssl);

// For lws_context_creation_info::ssl_options_set.
long ServerTlsOptions();

}  // namespace holdfast::backend
