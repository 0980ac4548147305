// TLS certificates: a fleet's private CA and the server certificates it issues.
//
// They identify servers to agents and analysts' tools, and sign nothing in the command path. One
// level only: the CA signs servers and cannot sign another CA. P-256 with SHA-256 throughout.
//
// Limits:    kCaDays, kServerDays; 1..16 host names of at most 253 bytes.
// Threading: pure functions but for the library's random generator.
// Errors:    kInvalid for a host name or a CA that cannot be used, kInternal from the library.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::backend {

// Ten years: replacing the CA means a new bundle on every endpoint.
inline constexpr int kCaDays = 3650;
// The longest that common TLS stacks accept from a CA of their own.
inline constexpr int kServerDays = 825;

struct TlsPair {
  std::string cert_pem;
  std::string key_pem;  // PKCS #8, not encrypted: for a file of mode 0600
  WallTime not_after{0};
};

Result<TlsPair> MakeTlsAuthority(const std::string& common_name, WallTime now);

// `hosts`: DNS names and IP addresses. An address is named both as an address and as a DNS name
// with its text, because mbedTLS 2.28 compares DNS names only.
Result<TlsPair> IssueServerCertificate(const TlsPair& authority,
                                       const std::vector<std::string>& hosts, WallTime now);

}  // namespace holdfast::backend
