#include <array>

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/x509_crt.h>

#include "common/adapters/lws/lws_tls.h"
#include "common/adapters/mbedtls/mbedtls_gcm.h"

// From lws's OpenSSL-like layer over mbedTLS, whose headers are not installed.
extern "C" {
struct ssl_ctx_st;
struct ssl_method_st;
const ssl_method_st* TLSv1_2_client_method(void);
int SSL_CTX_set_ssl_version(ssl_ctx_st* ctx, const ssl_method_st* method);
}

// That layer makes a mbedtls_ssl_config per connection and shows it to nobody, so the function that
// fills it in is wrapped (--wrap in toolchains/cmake/own_libwebsockets.cmake).
extern "C" {
int __real_mbedtls_ssl_config_defaults(mbedtls_ssl_config* config, int endpoint, int transport,
                                       int preset);
int __wrap_mbedtls_ssl_config_defaults(mbedtls_ssl_config* config, int endpoint, int transport,
                                       int preset);
}

namespace holdfast::lws {
namespace {

// What is offered, best first, ended by 0: forward secret and AEAD only, as at the server
// (backend/adapters/lws/lws_server_tls.h). AES-256 costs more rounds and is there for other servers.
using Suites = std::array<int, 7>;
constexpr Suites kGcmFirst = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                              MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                              MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                              MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                              0};
constexpr Suites kChaChaFirst = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                 0};

}  // namespace

Result<TlsOwner> PrepareTls(const std::string& ca_pem, lws_context_creation_info& info) {
  mbedtls_x509_crt ca;
  mbedtls_x509_crt_init(&ca);
  const auto* bytes = reinterpret_cast<const unsigned char*>(ca_pem.c_str());
  const int left_out = mbedtls_x509_crt_parse(&ca, bytes, ca_pem.size() + 1);  // with its NUL
  const bool several = ca.next != nullptr;
  mbedtls_x509_crt_free(&ca);
  if (left_out != 0) return Error{Code::kInvalid, "the CA is not a PEM certificate"};
  if (several) return Error{Code::kInvalid, "the CA holds more than one certificate"};
  info.client_ssl_ca_mem = ca_pem.data();
  info.client_ssl_ca_mem_len = static_cast<unsigned>(ca_pem.size());
  return TlsOwner(nullptr, [](void*) {});  // lws keeps its own copy
}

// lws asks mbedTLS for anything from SSL 3 on; mbedTLS 2.28 as shipped still has TLS 1.0.
void OnTlsContextCreated(void* ssl_client_ctx) {
  SSL_CTX_set_ssl_version(static_cast<ssl_ctx_st*>(ssl_client_ctx), TLSv1_2_client_method());
}

// lws verifies after the handshake and says so in CLIENT_CONNECTION_ERROR; this is never asked.
int CertificateProblem(void* /*verify_context*/) { return 0; }

}  // namespace holdfast::lws

int __wrap_mbedtls_ssl_config_defaults(mbedtls_ssl_config* config, int endpoint, int transport,
                                       int preset) {
  const int rc = __real_mbedtls_ssl_config_defaults(config, endpoint, transport, preset);
  const auto& suites =
      holdfast::HasFastGcm() ? holdfast::lws::kGcmFirst : holdfast::lws::kChaChaFirst;
  if (rc == 0) mbedtls_ssl_conf_ciphersuites(config, suites.data());
  return rc;
}
