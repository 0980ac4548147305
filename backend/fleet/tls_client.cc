#include "backend/fleet/tls_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <utility>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "backend/fleet/tls_records.h"
#include "common/base/bytes.h"
#include "common/base/check.h"

namespace holdfast::fleet {
namespace {

struct SslFreer {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};

std::string LastError() {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return text.data();
}

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

// OpenSSL's own macro for it casts as C does.
bool SetServerName(SSL* ssl, const std::string& host) {
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(host.c_str())) == 1;
}

struct SessionFreer {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using Ticket = std::unique_ptr<SSL_SESSION, SessionFreer>;

class OpensslSession final : public TlsSession {
 public:
  // `ticket` is where the last one of this host lies; nullptr: none is wanted.
  OpensslSession(SSL* ssl, Ticket* ticket) : ssl_(ssl), ticket_(ticket) {
    SSL_set_app_data(ssl, this);
    if (ticket == nullptr) return;
    SSL_set_msg_callback(ssl, &OnRecord);
    SSL_set_msg_callback_arg(ssl, this);
    if (*ticket == nullptr) return;
    // A copy: OpenSSL marks the one that was resumed as used up.
    const Ticket offered(SSL_SESSION_dup(ticket->get()));
    if (offered != nullptr) SSL_set_session(ssl, offered.get());
  }
  ~OpensslSession() override { LetGo(); }
  OpensslSession(const OpensslSession&) = delete;
  OpensslSession& operator=(const OpensslSession&) = delete;

  static int OnTicket(SSL* ssl, SSL_SESSION* session) {
    auto* const self = static_cast<OpensslSession*>(SSL_get_app_data(ssl));
    if (self == nullptr || self->ticket_ == nullptr) return 0;
    self->ticket_->reset(session);
    return 1;  // it is ours now
  }

  static void OnRecord(int is_sent, int /*version*/, int type, const void* /*bytes*/,
                       std::size_t /*size*/, SSL* /*ssl*/, void* self) {
    if (type != SSL3_RT_HEADER) return;
    auto* const session = static_cast<OpensslSession*>(self);
    ++(is_sent == 1 ? session->sent_ : session->received_);
  }

  // What a key log would get: "LABEL <client random> <secret>", in hex (SSL_CTX_set_keylog_callback(3)).
  static void OnSecret(const SSL* ssl, const char* line) {
    auto* const self = static_cast<OpensslSession*>(SSL_get_app_data(ssl));
    const std::string_view text = line;
    const std::size_t last = text.rfind(' ');
    if (self == nullptr || last == std::string_view::npos) return;
    auto secret = FromHex(text.substr(last + 1));
    if (!secret.ok()) return;
    if (text.starts_with("CLIENT_TRAFFIC_SECRET_0 "))
      self->own_ = std::move(secret).value();
    else if (text.starts_with("SERVER_TRAFFIC_SECRET_0 "))
      self->peer_ = std::move(secret).value();
  }

  Status Start(int fd) override {
    fd_ = fd;
    if (SSL_set_fd(ssl_.get(), fd) == 1) return Ok();
    return Error{Code::kInternal, LastError()};
  }

  Step Handshake() override {
    ERR_clear_error();
    const int done = SSL_connect(ssl_.get());
    if (done == 1) return OnShaken();
    const int error = SSL_get_error(ssl_.get(), done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Step::kAgain;
    return SSL_get_verify_result(ssl_.get()) == X509_V_OK ? Step::kFailed : Step::kUntrusted;
  }

  std::string Trouble() const override {
    const long verdict = ssl_ == nullptr ? X509_V_OK : SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
    const std::string text = LastError();
    return text.empty() ? "TLS: the peer is gone" : text;
  }

  ssize_t Read(std::span<char> into) override {
    if (records_ == nullptr) return ReadFirst(into);
    if (plain_ == nullptr) {
      static std::array<char, TlsRecords::kMaxPlainBytes> sealed;  // one loop, one thread
      const ssize_t got = ::recv(fd_, sealed.data(), sealed.size(), 0);
      if (got <= 0) return got < 0 && errno == EAGAIN ? -1 : 0;
      auto plain = std::make_unique<std::string>();
      const bool goes_on = records_->Open({sealed.data(), static_cast<std::size_t>(got)}, *plain);
      if (plain->empty()) return goes_on ? Read(into) : 0;
      plain_ = std::move(plain);
    }
    const std::size_t taken = std::min(into.size(), plain_->size());
    std::memcpy(into.data(), plain_->data(), taken);
    plain_->erase(0, taken);
    if (plain_->empty()) plain_.reset();
    return static_cast<ssize_t>(taken);
  }

  ssize_t Write(std::string_view bytes) override {
    if (records_ == nullptr) {
      ERR_clear_error();
      const int sent = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      return sent > 0 ? sent : -1;
    }
    Flush();
    if (sealed_ != nullptr) return -1;
    bytes = bytes.substr(0, TlsRecords::kMaxPlainBytes);
    sealed_ = std::make_unique<std::string>(records_->Seal(bytes));
    Flush();
    return static_cast<ssize_t>(bytes.size());
  }

  void Flush() override {
    if (sealed_ == nullptr) return;
    const ssize_t sent = ::send(fd_, sealed_->data(), sealed_->size(), MSG_NOSIGNAL);
    if (sent > 0) sealed_->erase(0, static_cast<std::size_t>(sent));
    if (sealed_->empty()) sealed_.reset();
  }

 private:
  Step OnShaken() {
    // What went before went under the handshake's keys.
    sent_ = received_ = 0;
    const bool waits = ticket_ != nullptr && SSL_session_reused(ssl_.get()) == 0;
    return waits ? Step::kDone : TakeOver();
  }

  ssize_t ReadFirst(std::span<char> into) {
    ERR_clear_error();
    const int got = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
    if (got <= 0) return SSL_get_error(ssl_.get(), got) == SSL_ERROR_WANT_READ ? -1 : 0;
    if (SSL_pending(ssl_.get()) == 0 && TakeOver() != Step::kDone) return 0;
    return got;
  }

  // An end without TLS's goodbye would make OpenSSL think ill of the ticket.
  void LetGo() {
    if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) {
      SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    ssl_.reset();
  }

  // OpenSSL reads record by record: what comes next is the next one under these secrets.
  Step TakeOver() {
    const bool known =
        own_.size() == TlsRecords::kSecretBytes && peer_.size() == TlsRecords::kSecretBytes;
    if (!known || SSL_pending(ssl_.get()) > 0) return Step::kFailed;
    records_ = std::make_unique<TlsRecords>(own_, peer_, sent_, received_);
    own_ = peer_ = std::string();
    LetGo();
    return Step::kDone;
  }

  std::unique_ptr<SSL, SslFreer> ssl_;   // during the handshake
  std::unique_ptr<TlsRecords> records_;  // afterwards
  std::unique_ptr<std::string> plain_;   // opened, and not read yet
  std::unique_ptr<std::string> sealed_;  // of a record, what the socket did not take
  std::string own_, peer_;               // secrets, until they are used
  Ticket* const ticket_;
  std::uint32_t sent_ = 0, received_ = 0;  // records, while OpenSSL is there
  int fd_ = -1;
};

class OpensslClient final : public TlsClient {
 public:
  explicit OpensslClient(bool resumes)
      : resumes_(resumes), context_(SSL_CTX_new(TLS_client_method())) {
    HF_CHECK(context_ != nullptr);
  }

  Status Init(const std::string& ca_pem) {
    const std::unique_ptr<BIO, SslFreer> bio(
        BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size())));
    const std::unique_ptr<X509, SslFreer> ca(
        PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (ca == nullptr ||
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), ca.get()) != 1) {
      return Error{Code::kInvalid, "the CA is no PEM certificate: " + LastError()};
    }
    SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context_.get(), SSL_OP_NO_COMPRESSION);
    // Client: the ticket is shown to us; it is not kept there.
    SSL_CTX_set_session_cache_mode(
        context_.get(),
        resumes_ ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(context_.get(), &OpensslSession::OnTicket);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_3_VERSION);
    if (SSL_CTX_set_ciphersuites(context_.get(), "TLS_AES_128_GCM_SHA256") != 1) {
      return Error{Code::kInternal, LastError()};
    }
    SSL_CTX_set_keylog_callback(context_.get(), &OpensslSession::OnSecret);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets without MSG_NOSIGNAL
    return Ok();
  }

  Result<std::unique_ptr<TlsSession>> NewSession(const std::string& host) override {
    SSL* const ssl = SSL_new(context_.get());
    if (ssl == nullptr) return Error{Code::kInternal, LastError()};
    auto session = std::make_unique<OpensslSession>(ssl, resumes_ ? &tickets_[host] : nullptr);
    const bool is_address = IsAddress(host);
    const bool named = is_address
                           ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1
                           : SSL_set1_host(ssl, host.c_str()) == 1 && SetServerName(ssl, host);
    if (!named) return Error{Code::kInternal, LastError()};
    return std::unique_ptr<TlsSession>(std::move(session));
  }

 private:
  const bool resumes_;
  const std::unique_ptr<SSL_CTX, SslFreer> context_;
  std::map<std::string, Ticket> tickets_;  // by host: of what was checked for that name only
};

std::string Base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3), '\0');
  // One more byte for its zero, which std::string has.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  return out;
}

}  // namespace

Result<std::unique_ptr<TlsClient>> TlsClient::Create(const std::string& ca_pem, bool resumes) {
  auto client = std::make_unique<OpensslClient>(resumes);
  HF_TRY(client->Init(ca_pem));
  return std::unique_ptr<TlsClient>(std::move(client));
}

WsKey NewWsKey() {
  std::array<unsigned char, 16> random{};
  HF_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1);
  WsKey key;
  key.text = Base64({reinterpret_cast<const char*>(random.data()), random.size()});
  const std::string salted = key.text + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash{};
  SHA1(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(), hash.data());
  key.accept = Base64({reinterpret_cast<const char*>(hash.data()), hash.size()});
  return key;
}

}  // namespace holdfast::fleet
