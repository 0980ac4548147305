#include "backend/fleet/tls_records.h"

#include <algorithm>
#include <cstring>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base/check.h"

namespace holdfast::fleet {
namespace {

constexpr std::size_t kHeaderBytes = 5;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kMaxRecordBytes = TlsRecords::kMaxPlainBytes + 256;  // RFC 8446, 5.2
constexpr char kApplicationData = 23;
constexpr char kHandshake = 22;
constexpr char kNewTicket = 4;
constexpr char kVersion[] = {3, 3};  // of every record, for old middle boxes

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

// HKDF-Expand-Label without context, of at most one block (RFC 8446, 7.1).
void ExpandLabel(std::string_view secret, std::string_view label, unsigned char* out,
                 std::size_t size) {
  const std::string full = "tls13 " + std::string(label);
  std::string info{'\0', static_cast<char>(size), static_cast<char>(full.size())};
  info += full;
  info += '\0';    // no context
  info += '\x01';  // the first block of HKDF-Expand
  std::array<unsigned char, EVP_MAX_MD_SIZE> block{};
  unsigned int block_bytes = 0;
  HF_CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), Bytes(info),
                info.size(), block.data(), &block_bytes) != nullptr &&
           size <= block_bytes);
  std::memcpy(out, block.data(), size);
  OPENSSL_cleanse(block.data(), block.size());
}

// One for all connections: a key is set for each record.
EVP_CIPHER_CTX* SharedCipher() {
  struct Freer {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  static const std::unique_ptr<EVP_CIPHER_CTX, Freer> context(EVP_CIPHER_CTX_new());
  HF_CHECK(context != nullptr);
  return context.get();
}

const EVP_CIPHER* Aes128Gcm() {
  static EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  HF_CHECK(cipher != nullptr);
  return cipher;
}

void AppendHeader(std::string& out, std::size_t sealed_bytes) {
  out += kApplicationData;
  out.append(kVersion, sizeof kVersion);
  out += static_cast<char>(sealed_bytes >> 8);
  out += static_cast<char>(sealed_bytes);
}

}  // namespace

std::array<unsigned char, 12> TlsRecords::Direction::NextNonce() {
  std::array<unsigned char, 12> nonce = iv;
  for (std::size_t i = 0; i < sizeof sequence; ++i) {
    nonce[nonce.size() - 1 - i] ^= static_cast<unsigned char>(sequence >> (8 * i));
  }
  ++sequence;
  return nonce;
}

TlsRecords::Direction TlsRecords::From(std::string_view secret) {
  HF_CHECK(secret.size() == kSecretBytes);
  Direction out;
  ExpandLabel(secret, "key", out.key.data(), out.key.size());
  ExpandLabel(secret, "iv", out.iv.data(), out.iv.size());
  return out;
}

TlsRecords::TlsRecords(std::string_view own_secret, std::string_view peer_secret,
                       std::uint64_t sent, std::uint64_t received)
    : own_(From(own_secret)), peer_(From(peer_secret)) {
  own_.sequence = sent;
  peer_.sequence = received;
}

std::string TlsRecords::Seal(std::string_view plain) {
  HF_CHECK(plain.size() <= kMaxPlainBytes);
  const std::size_t inner_bytes = plain.size() + 1;  // and its type
  std::string record;
  record.reserve(kHeaderBytes + inner_bytes + kTagBytes);
  AppendHeader(record, inner_bytes + kTagBytes);
  record += plain;
  record += kApplicationData;
  record.resize(record.size() + kTagBytes);
  EVP_CIPHER_CTX* const cipher = SharedCipher();
  const auto nonce = own_.NextNonce();
  unsigned char* const inner = Bytes(record) + kHeaderBytes;
  int written = 0;
  HF_CHECK(EVP_EncryptInit_ex2(cipher, Aes128Gcm(), own_.key.data(), nonce.data(), nullptr) == 1 &&
           EVP_EncryptUpdate(cipher, nullptr, &written, Bytes(record), kHeaderBytes) == 1 &&
           EVP_EncryptUpdate(cipher, inner, &written, inner, static_cast<int>(inner_bytes)) == 1 &&
           EVP_EncryptFinal_ex(cipher, inner + inner_bytes, &written) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kTagBytes, inner + inner_bytes) == 1);
  return record;
}

bool TlsRecords::Open(std::string_view bytes, std::string& plain) {
  if (partial_ != nullptr) {
    partial_->append(bytes);
    bytes = *partial_;
  }
  while (bytes.size() >= kHeaderBytes) {
    const std::size_t sealed_bytes = std::size_t{Bytes(bytes)[3]} << 8 | Bytes(bytes)[4];
    if (sealed_bytes > kMaxRecordBytes) return false;
    if (bytes.size() < kHeaderBytes + sealed_bytes) break;
    if (!OpenOne(bytes.substr(0, kHeaderBytes + sealed_bytes), plain)) return false;
    bytes.remove_prefix(kHeaderBytes + sealed_bytes);
  }
  partial_ = bytes.empty() ? nullptr : std::make_unique<std::string>(bytes);
  return true;
}

bool TlsRecords::OpenOne(std::string_view record, std::string& plain) {
  const std::string_view sealed = record.substr(kHeaderBytes);
  if (record[0] != kApplicationData || sealed.size() <= kTagBytes) return false;
  const std::size_t inner_bytes = sealed.size() - kTagBytes;
  std::array<unsigned char, kTagBytes> tag{};
  std::memcpy(tag.data(), sealed.data() + inner_bytes, tag.size());
  const std::size_t at = plain.size();
  plain.resize(at + inner_bytes);
  EVP_CIPHER_CTX* const cipher = SharedCipher();
  const auto nonce = peer_.NextNonce();
  unsigned char* const inner = Bytes(plain) + at;
  int written = 0;
  const bool holds =
      EVP_DecryptInit_ex2(cipher, Aes128Gcm(), peer_.key.data(), nonce.data(), nullptr) == 1 &&
      EVP_DecryptUpdate(cipher, nullptr, &written, Bytes(record), kHeaderBytes) == 1 &&
      EVP_DecryptUpdate(cipher, inner, &written, Bytes(sealed), static_cast<int>(inner_bytes)) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher, inner + inner_bytes, &written) == 1;
  // The type is the last byte that is not zero; zeros behind it are padding.
  while (holds && plain.size() > at && plain.back() == '\0') plain.pop_back();
  // A ticket alone in its record, as OpenSSL sends it (RFC 8446, 4.6.1).
  if (holds && plain.size() > at + 1 && plain.back() == kHandshake && plain[at] == kNewTicket) {
    plain.resize(at);
    return true;
  }
  const bool is_data = holds && plain.size() > at && plain.back() == kApplicationData;
  plain.resize(is_data ? plain.size() - 1 : at);
  return is_data;
}

}  // namespace holdfast::fleet
