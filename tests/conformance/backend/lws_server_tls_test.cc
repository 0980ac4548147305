#include "backend/adapters/lws/lws_server_tls.h"

#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace holdfast::backend {
namespace {

template <typename T, void (*kFree)(T*)>
struct FreedBy {
  void operator()(T* object) const { kFree(object); }
};
using Context = std::unique_ptr<SSL_CTX, FreedBy<SSL_CTX, &SSL_CTX_free>>;
using Session = std::unique_ptr<SSL_SESSION, FreedBy<SSL_SESSION, &SSL_SESSION_free>>;
using Connection = std::unique_ptr<SSL, FreedBy<SSL, &SSL_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY, &EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509, &X509_free>>;

TicketKeyPair KeysOf(std::uint8_t fill) {
  TicketKeyPair pair;
  pair.current.name.fill(fill);
  pair.current.cipher.fill(fill);
  pair.current.mac.fill(fill);
  return pair;
}

// One gateway's TLS, without sockets.
class Gateway {
 public:
  Gateway(EVP_PKEY* key, X509* certificate, std::optional<TicketKeyPair> tickets)
      : tickets_(tickets), context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_.get(), certificate);
    SSL_CTX_use_PrivateKey(context_.get(), key);
    SSL_CTX_set_options(context_.get(), static_cast<std::uint64_t>(ServerTlsOptions()));
    TuneServerTls(context_.get(), tickets_);
  }
  SSL_CTX* context() const { return context_.get(); }
  void SetTickets(const TicketKeyPair& tickets) { tickets_ = tickets; }

 private:
  std::optional<TicketKeyPair> tickets_;
  Context context_;
};

class ServerTlsTest : public ::testing::Test {
 protected:
  ServerTlsTest() : key_(EVP_EC_gen("P-256")), client_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_session_cache_mode(client_.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client_.get(), [](SSL* ssl, SSL_SESSION* session) {
      static_cast<ServerTlsTest*>(SSL_get_app_data(ssl))->ticket_.reset(session);
      return 1;
    });
  }

  Certificate NewCertificate(long serial) const {
    Certificate certificate(X509_new());
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key_.get());
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    return certificate;
  }

  // Shakes hands, offers ticket_ if there is one, and reads what follows. Whether it was resumed; nullopt: it failed.
  std::optional<bool> Dial(const Gateway& gateway, int version = TLS1_3_VERSION) {
    const Connection client(SSL_new(client_.get()));
    const Connection server(SSL_new(gateway.context()));
    BIO* one = nullptr;
    BIO* other = nullptr;
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(client.get(), one, one);
    SSL_set_bio(server.get(), other, other);
    SSL_set_app_data(client.get(), this);
    SSL_set_max_proto_version(client.get(), version);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    if (ticket_ != nullptr) SSL_set_session(client.get(), ticket_.get());
    int client_done = 0;
    int server_done = 0;
    for (int turn = 0; turn < 10 && (client_done != 1 || server_done != 1); ++turn) {
      client_done = SSL_do_handshake(client.get());
      server_done = SSL_do_handshake(server.get());
    }
    if (client_done != 1 || server_done != 1) return std::nullopt;
    char byte = 0;
    SSL_read(client.get(), &byte, 1);
    SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    EXPECT_EQ(IsResumed(server.get()), SSL_session_reused(client.get()) == 1);
    return IsResumed(server.get());
  }

  const Key key_;
  Context client_;
  Session ticket_;
};

TEST_F(ServerTlsTest, ATicketOfOneGatewayIsGoodAtAnotherWithTheSameKeys) {
  const Certificate certificate = NewCertificate(1);
  const Gateway one(key_.get(), certificate.get(), KeysOf(1));
  const Gateway other(key_.get(), certificate.get(), KeysOf(1));
  EXPECT_EQ(Dial(one), false);
  ASSERT_NE(ticket_, nullptr);
  EXPECT_EQ(Dial(other), true);
}

TEST_F(ServerTlsTest, ATicketOpensUnderThePreviousKeyAndNotUnderOneThatIsGone) {
  const Certificate certificate = NewCertificate(1);
  Gateway gateway(key_.get(), certificate.get(), KeysOf(1));
  EXPECT_EQ(Dial(gateway), false);
  TicketKeyPair renewed = KeysOf(2);
  renewed.previous = KeysOf(1).current;
  gateway.SetTickets(renewed);
  EXPECT_EQ(Dial(gateway), true);
  renewed = KeysOf(3);
  renewed.previous = KeysOf(2).current;
  gateway.SetTickets(renewed);
  EXPECT_EQ(Dial(gateway), false);
}

TEST_F(ServerTlsTest, WhoResumesGetsNoNewTicket) {
  const Certificate certificate = NewCertificate(1);
  const Gateway gateway(key_.get(), certificate.get(), KeysOf(1));
  Dial(gateway);
  const SSL_SESSION* const first = ticket_.get();
  EXPECT_EQ(Dial(gateway), true);
  EXPECT_EQ(ticket_.get(), first);
}

TEST_F(ServerTlsTest, ANewCertificateEndsTheTicketsOfTheOldOne) {
  const Certificate old = NewCertificate(1);
  const Certificate renewed = NewCertificate(2);
  Dial(Gateway(key_.get(), old.get(), KeysOf(1)));
  EXPECT_EQ(Dial(Gateway(key_.get(), renewed.get(), KeysOf(1))), false);
}

TEST_F(ServerTlsTest, NobodyGetsATicketInTls12OrBeforeThereAreKeys) {
  const Certificate certificate = NewCertificate(1);
  EXPECT_EQ(Dial(Gateway(key_.get(), certificate.get(), KeysOf(1)), TLS1_2_VERSION), false);
  EXPECT_TRUE(ticket_ == nullptr || SSL_SESSION_has_ticket(ticket_.get()) == 0);
  ticket_.reset();
  EXPECT_EQ(Dial(Gateway(key_.get(), certificate.get(), std::nullopt)), false);
  EXPECT_EQ(ticket_, nullptr);
}

}  // namespace
}  // namespace holdfast::backend
