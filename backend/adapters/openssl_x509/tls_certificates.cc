#include "backend/adapters/openssl_x509/tls_certificates.h"

#include <array>
#include <cstdint>
#include <ctime>
#include <memory>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace holdfast::backend {
namespace {

constexpr std::uint64_t kDayMs = std::uint64_t{24} * 3600 * 1000;
// Endpoints' clocks run late: a certificate made now is valid since yesterday.
constexpr std::uint64_t kBackdateMs = kDayMs;
constexpr std::size_t kMaxHosts = 16;
constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035 section 2.3.4, as text
constexpr std::size_t kSerialBytes = 16;    // RFC 5280 section 4.1.2.2: at most 20

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freer<X509_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;

Error LibraryError(const std::string& doing) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return {Code::kInternal, doing + ": " + text.data()};
}

std::string Drain(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<TlsPair> ToPem(X509* cert, EVP_PKEY* key, WallTime not_after) {
  const Bio cert_bio(BIO_new(BIO_s_mem()));
  const Bio key_bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(cert_bio.get(), cert) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return LibraryError("writing a certificate");
  }
  return TlsPair{Drain(cert_bio.get()), Drain(key_bio.get()), not_after};
}

bool SetSerial(X509* cert) {
  std::array<unsigned char, kSerialBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] &= 0x7F;  // positive
  bytes[0] |= 0x40;  // and of full length
  const Number number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(cert)) != nullptr;
}

bool SetTimes(X509* cert, WallTime not_before, WallTime not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(cert),
                       static_cast<std::time_t>(not_before.get() / 1000)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(cert),
                       static_cast<std::time_t>(not_after.get() / 1000)) != nullptr;
}

bool AddExtension(X509* cert, X509* issuer, int nid, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(cert, extension.get(), -1) == 1;
}

bool AddName(GENERAL_NAMES* names, int type, ASN1_STRING* value) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (name == nullptr || value == nullptr || sk_GENERAL_NAME_push(names, name) == 0) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(value);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, value);
  return true;
}

bool AddHost(GENERAL_NAMES* names, const std::string& host) {
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  if (text == nullptr || ASN1_STRING_set(text, host.data(), static_cast<int>(host.size())) != 1) {
    ASN1_IA5STRING_free(text);
    return false;
  }
  if (!AddName(names, GEN_DNS, text)) return false;
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  if (address != nullptr) return AddName(names, GEN_IPADD, address);
  ERR_clear_error();  // not an address
  return true;
}

Status CheckHosts(const std::vector<std::string>& hosts) {
  if (hosts.empty() || hosts.size() > kMaxHosts) {
    return Error{Code::kInvalid, "a server certificate names 1 to 16 hosts"};
  }
  for (const auto& host : hosts) {
    bool plain = !host.empty() && host.size() <= kMaxHostBytes;
    for (const char c : host) plain = plain && c > ' ' && c < 0x7F;
    if (!plain) return Error{Code::kInvalid, "not a host name or address: '" + host + "'"};
  }
  return Ok();
}

// Everything but the extensions that differ.
Cert NewCert(const std::string& common_name, EVP_PKEY* key, WallTime now, WallTime not_after) {
  Cert cert(X509_new());
  const WallTime not_before(now.get() - kBackdateMs);
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.c_str());
  if (!cert || X509_set_version(cert.get(), 2) != 1 || !SetSerial(cert.get()) ||
      !SetTimes(cert.get(), not_before, not_after) || X509_set_pubkey(cert.get(), key) != 1 ||
      X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_UTF8, text, -1,
                                 -1, 0) != 1) {
    return nullptr;
  }
  return cert;
}

}  // namespace

Result<TlsPair> MakeTlsAuthority(const std::string& common_name, WallTime now) {
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return LibraryError("making a TLS key");
  const WallTime not_after(now.get() + kCaDays * kDayMs);
  const Cert cert = NewCert(common_name, key.get(), now, not_after);
  X509* const self = cert.get();
  if (!cert || X509_set_issuer_name(self, X509_get_subject_name(self)) != 1 ||
      !AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(self, self, NID_subject_key_identifier, "hash") ||
      X509_sign(self, key.get(), EVP_sha256()) == 0) {
    return LibraryError("making the TLS authority");
  }
  return ToPem(self, key.get(), not_after);
}

Result<TlsPair> IssueServerCertificate(const TlsPair& authority,
                                       const std::vector<std::string>& hosts, WallTime now) {
  HF_TRY(CheckHosts(hosts));
  const Bio ca_bio(
      BIO_new_mem_buf(authority.cert_pem.data(), static_cast<int>(authority.cert_pem.size())));
  const Bio ca_key_bio(
      BIO_new_mem_buf(authority.key_pem.data(), static_cast<int>(authority.key_pem.size())));
  const Cert ca(PEM_read_bio_X509(ca_bio.get(), nullptr, nullptr, nullptr));
  const Key ca_key(PEM_read_bio_PrivateKey(ca_key_bio.get(), nullptr, nullptr, nullptr));
  if (!ca || !ca_key || X509_check_private_key(ca.get(), ca_key.get()) != 1) {
    ERR_clear_error();
    return Error{Code::kInvalid, "the TLS authority's certificate and key do not go together"};
  }
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return LibraryError("making a TLS key");
  const WallTime not_after(now.get() + kServerDays * kDayMs);
  const std::string common_name =
      hosts.front().substr(0, 64);  // RFC 5280 appendix A, ub-common-name
  const Cert cert = NewCert(common_name, key.get(), now, not_after);
  const Names names(GENERAL_NAMES_new());
  if (!cert || !names) return LibraryError("making the server certificate");
  for (const auto& host : hosts) {
    if (!AddHost(names.get(), host)) return LibraryError("naming host '" + host + "'");
  }
  X509* const self = cert.get();
  if (X509_set_issuer_name(self, X509_get_subject_name(ca.get())) != 1 ||
      !AddExtension(self, ca.get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(self, ca.get(), NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(self, ca.get(), NID_ext_key_usage, "serverAuth") ||
      !AddExtension(self, ca.get(), NID_authority_key_identifier, "keyid:always") ||
      X509_add1_ext_i2d(self, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1 ||
      X509_sign(self, ca_key.get(), EVP_sha256()) == 0) {
    return LibraryError("making the server certificate");
  }
  return ToPem(self, key.get(), not_after);
}

}  // namespace holdfast::backend
