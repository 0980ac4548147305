#include <memory>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/adapters/lws/lws_tls.h"

namespace holdfast::lws {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCert {
  void operator()(X509* cert) const { X509_free(cert); }
};

}  // namespace

// lws would add the system's CAs and swallow a CA that does not parse: so it gets a ready SSL_CTX.
Result<TlsOwner> PrepareTls(const std::string& ca_pem, lws_context_creation_info& info) {
  const std::unique_ptr<BIO, FreeBio> bio(
      BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())));
  const std::unique_ptr<X509, FreeCert> ca(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  const std::unique_ptr<X509, FreeCert> more(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!ca) return Error{Code::kInvalid, "the CA is not a PEM certificate"};
  if (more) return Error{Code::kInvalid, "the CA holds more than one certificate"};
  SSL_CTX* ctx = SSL_CTX_new(TLS_client_method());
  HF_CHECK(ctx != nullptr);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.get());  // takes its own reference
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  // A link is idle most of its life: give its record buffers back (scale.md 2).
  SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  info.provided_client_ssl_ctx = ctx;
  return TlsOwner(ctx, [](void* p) { SSL_CTX_free(static_cast<SSL_CTX*>(p)); });
}

void OnTlsContextCreated(void* /*ssl_client_ctx*/) {}

int CertificateProblem(void* verify_context) {
  return X509_STORE_CTX_get_error(static_cast<X509_STORE_CTX*>(verify_context));
}

}  // namespace holdfast::lws
