#include "backend/adapters/lws/lws_server_tls.h"

#include <array>
#include <chrono>
#include <cstring>
#include <memory>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/base/check.h"

namespace holdfast::backend {
namespace {

Error Failed(const std::string& file) {
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  ERR_clear_error();
  return Error{Code::kInvalid, file + ": " + reason.data()};
}

int TicketsIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

const std::optional<TicketKeyPair>& TicketsOf(const SSL* ssl) {
  return *static_cast<const std::optional<TicketKeyPair>*>(
      SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), TicketsIndex()));
}

// After the version is chosen, before we answer. A ticket of TLS 1.2 would bring its old secret back.
int BeforeAnswer(SSL* ssl, void* /*unused*/) {
  if (SSL_version(ssl) >= TLS1_3_VERSION && TicketsOf(ssl)) return 1;
  SSL_set_options(ssl, SSL_OP_NO_TICKET);
  SSL_set_num_tickets(ssl, 0);
  return 1;
}

int UseKey(const TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
           bool seals) {
  std::array<char, 7> digest{"SHA256"};
  // OpenSSL's parameters are not const; it only reads these.
  auto* const mac_key = const_cast<std::uint8_t*>(key.mac.data());
  const std::array<OSSL_PARAM, 3> parameters{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  const bool set = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv,
                                     seals ? 1 : 0) == 1 &&
                   EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
  return set ? 1 : -1;
}

// 0: no ticket, or a full handshake. Never 2, "good, and give a new one": who resumes keeps his ticket, so that its
// life counts from the last time at which he saw our certificate.
int OnTicket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
             EVP_MAC_CTX* mac, int seals) {
  const auto& keys = TicketsOf(ssl);
  if (!keys) return 0;
  if (seals == 1) {
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    std::memcpy(name, keys->current.name.data(), keys->current.name.size());
    return UseKey(keys->current, iv, cipher, mac, true);
  }
  const auto is_named = [name](const TicketKey& key) {
    return std::memcmp(name, key.name.data(), key.name.size()) == 0;
  };
  if (is_named(keys->current)) return UseKey(keys->current, iv, cipher, mac, false);
  if (keys->previous && is_named(*keys->previous)) {
    return UseKey(*keys->previous, iv, cipher, mac, false);
  }
  return 0;
}

// A ticket is good only where the certificate is the one under which it was given: a new one ends them all.
void BindToCertificate(SSL_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int bytes = 0;
  const X509* const certificate = SSL_CTX_get0_certificate(context);
  const bool bound = certificate != nullptr &&
                     X509_digest(certificate, EVP_sha256(), digest.data(), &bytes) == 1 &&
                     SSL_CTX_set_session_id_context(context, digest.data(), bytes) == 1;
  if (!bound) SSL_CTX_set_num_tickets(context, 0);
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

void TuneServerTls(void* ssl_ctx, const std::optional<TicketKeyPair>& tickets) {
  auto* const context = static_cast<SSL_CTX*>(ssl_ctx);
  // 47.8 KB of buffers per idle link without it, 14.3 KB with it (scale.md section 2).
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_timeout(context,
                      std::chrono::duration_cast<std::chrono::seconds>(kTicketLife).count());
  HF_CHECK(SSL_CTX_set_ex_data(context, TicketsIndex(),
                               const_cast<std::optional<TicketKeyPair>*>(&tickets)) ==
           1);  // read as const
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &OnTicket);
  SSL_CTX_set_cert_cb(context, &BeforeAnswer, nullptr);
  BindToCertificate(context);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // libwebsockets' own would answer whoever names a host with the first vhost of that port: after a renewal that is
  // the one with the old certificate. A socket has its vhost already when it is adopted.
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB, nullptr);
}

bool IsResumed(const ssl_st* ssl) { return SSL_session_reused(ssl) == 1; }

// An agent names the suite first that its processor does best, and for us they cost the same: ChaCha20
// where it comes first, else AES-128-GCM (docs/decisions/0026-aes-gcm-by-nettle.md).
long ServerTlsOptions() {
  return static_cast<long>(SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                           SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CIPHER_SERVER_PREFERENCE);
}

}  // namespace holdfast::backend
