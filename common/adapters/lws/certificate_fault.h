// CertificateFault from what the TLS libraries say, and in words.
//
// Threading: pure functions.
#pragma once

#include <string_view>

#include "common/adapters/lws/lws_client.h"

namespace holdfast::lws {

// One of OpenSSL's X509_V_ERR_*, which lws's layer over mbedTLS has too.
CertificateFault FaultOfX509(int error);
// What lws says when it refuses a certificate after the handshake; kNone: it is about something else.
CertificateFault FaultOfText(std::string_view text);
std::string_view Describe(CertificateFault fault);

}  // namespace holdfast::lws
