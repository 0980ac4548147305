// The TLS side of LwsServer: what OpenSSL must be told that libwebsockets has no option for.
//
// Limits:    TLS 1.2 and 1.3 with AEAD suites only; no renegotiation, tickets or session cache.
// Errors:    CheckCertificate(): kInvalid; the message names the file and OpenSSL's reason.
#pragma once

#include <string>

#include "common/base/result.h"

namespace holdfast::backend {

// TLS 1.2 suites; all of TLS 1.3's are AEAD. AES-128 first: agents pay for each round.
inline constexpr char kTls12Suites[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";

// libwebsockets only says that a vhost failed; this says why, before it tries.
Status CheckCertificate(const std::string& cert_file, const std::string& key_file);

// `ssl_ctx` is the SSL_CTX of a new vhost.
void TuneServerTls(void* ssl_ctx);

// For lws_context_creation_info::ssl_options_set.
long ServerTlsOptions();

}  // namespace holdfast::backend
