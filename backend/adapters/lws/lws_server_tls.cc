#include "backend/adapters/lws/lws_server_tls.h"

#include <array>
#include <memory>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace holdfast::backend {
namespace {

Error Failed(const std::string& file) {
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  ERR_clear_error();
  return Error{Code::kInvalid, file + ": " + reason.data()};
}

}  // namespace

Status CheckCertificate(const std::string& cert_file, const std::string& key_file) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  &SSL_CTX_free);
  if (context == nullptr) return Failed("TLS");
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert_file.c_str()) != 1) {
    return Failed(cert_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return Failed(key_file);
  }
  return Ok();
}

void TuneServerTls(void* ssl_ctx) {
  auto* const context = static_cast<SSL_CTX*>(ssl_ctx);
  // 47.8 KB of buffers per idle link without it, 14.3 KB with it (scale.md section 2).
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // libwebsockets' own would answer whoever names a host with the first vhost of that port: after a renewal that is
  // the one with the old certificate. A socket has its vhost already when it is adopted.
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, nullptr);
}

// An agent names the suite first that its processor does best, and for us they cost the same: ChaCha20
// where it comes first, else AES-128-GCM (docs/decisions/0026-aes-gcm-by-nettle.md).
long ServerTlsOptions() {
  return static_cast<long>(SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                           SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CIPHER_SERVER_PREFERENCE);
}

}  // namespace holdfast::backend
