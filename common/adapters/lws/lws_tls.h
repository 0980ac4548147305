// The TLS library behind libwebsockets, as far as lws's own interface leaves gaps.
//
// One header, two sources: CMake compiles lws_tls_openssl.cc or lws_tls_mbedtls.cc, whichever the
// libwebsockets at hand was built with. Both see to it that only the given CA is trusted (no system
// store) and that TLS is 1.2 or later.
//
// Threading: loop thread only.
#pragma once

#include <memory>
#include <string>

#include <libwebsockets.h>

#include "common/base/result.h"

namespace holdfast::lws {

// What must live until after lws_context_destroy.
using TlsOwner = std::unique_ptr<void, void (*)(void*)>;

// Fills in the client TLS part of `info` for lws_create_context. `ca_pem` must outlive that call.
// kInvalid: not exactly one PEM certificate.
Result<TlsOwner> PrepareTls(const std::string& ca_pem, lws_context_creation_info& info);
// Called with lws's freshly made client TLS context.
void OnTlsContextCreated(void* ssl_client_ctx);
// For a certificate that the library is about to refuse: why, as one of OpenSSL's X509_V_ERR_*.
int CertificateProblem(void* verify_context);

}  // namespace holdfast::lws
