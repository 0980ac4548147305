#include "agent/tables/ssh_files.h"

#include <array>
#include <cstdint>

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

bool IsKeyType(std::string_view word) {
  return word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
}

// Cuts off what is before the next blank that stands outside of double quotes.
std::string_view NextQuotedWord(std::string_view& rest) {
  bool quoted = false;
  std::size_t at = 0;
  for (; at < rest.size(); ++at) {
    const char c = rest[at];
    if (c == '\\' && quoted) {
      ++at;
    } else if (c == '"') {
      quoted = !quoted;
    } else if ((c == ' ' || c == '\t') && !quoted) {
      break;
    }
  }
  const std::string_view word = rest.substr(0, at);
  rest.remove_prefix(word.size());
  return word;
}

// Bytes of DER or of SSH's wire format, read from the front; empty and `ok` false when they end early.
struct Bytes {
  std::string_view rest;
  bool ok = true;

  std::string_view Take(std::size_t size) {
    ok = ok && size <= rest.size();
    if (!ok) return {};
    const std::string_view taken = rest.substr(0, size);
    rest.remove_prefix(size);
    return taken;
  }
  std::size_t Number(std::size_t size) { return BigEndian(Take(size)); }
  std::string_view String() { return Take(Number(4)); }  // SSH's
  std::string_view Element(std::size_t tag) {            // DER's
    ok = ok && Number(1) == tag;
    std::size_t size = Number(1);
    if ((size & 0x80) != 0) size = (size & 0x7f) <= 4 ? Number(size & 0x7f) : rest.size() + 1;
    return Take(size);
  }
};

constexpr std::size_t kDerInteger = 0x02;
constexpr std::size_t kDerOctets = 0x04;
constexpr std::size_t kDerName = 0x06;
constexpr std::size_t kDerSequence = 0x30;

int BitsOf(std::string_view number) {  // big endian
  while (!number.empty() && number.front() == '\0') number.remove_prefix(1);
  if (number.empty()) return 0;
  int bits = static_cast<int>(number.size() * 8);
  for (unsigned top = static_cast<unsigned char>(number.front()); (top & 0x80) == 0; top <<= 1) {
    --bits;
  }
  return bits;
}

// NIST SP 800-57, as OpenSSL counts.
int SecurityBits(std::string_view type, int bits) {
  if (type == "ed25519") return 128;
  if (type == "ec") return bits / 2;
  constexpr std::array<std::array<int, 2>, 6> kSteps = {
      {{15360, 256}, {7680, 192}, {4096, 152}, {3072, 128}, {2048, 112}, {1024, 80}}};
  for (const auto& [least, strength] : kSteps) {
    if (bits >= least) return strength;
  }
  return 0;
}

void SetCurve(PrivateKey& key, std::string_view group, int bits) {
  key.type = "ec";
  key.group = group;
  key.bits = bits;
}

void SetCurveByName(PrivateKey& key, std::string_view oid) {
  if (oid == "\x2a\x86\x48\xce\x3d\x03\x01\x07") SetCurve(key, "nistp256", 256);
  if (oid == std::string_view("\x2b\x81\x04\x00\x22", 5)) SetCurve(key, "nistp384", 384);
  if (oid == std::string_view("\x2b\x81\x04\x00\x23", 5)) SetCurve(key, "nistp521", 521);
}

// The public half of an OpenSSH key, which is never encrypted.
void ReadPublicBlob(std::string_view blob, PrivateKey& key) {
  Bytes bytes{blob};
  const std::string_view name = bytes.String();
  if (name == "ssh-rsa") {
    key.type = "rsa";
    bytes.String();  // the exponent
    key.bits = BitsOf(bytes.String());
  } else if (name == "ssh-dss") {
    key.type = "dsa";
    key.bits = BitsOf(bytes.String());
  } else if (name.find("ed25519") != std::string_view::npos) {
    key.type = "ed25519";
    key.bits = 256;
  } else if (name.find("nistp256") != std::string_view::npos) {
    SetCurve(key, "nistp256", 256);
  } else if (name.find("nistp384") != std::string_view::npos) {
    SetCurve(key, "nistp384", 384);
  } else if (name.find("nistp521") != std::string_view::npos) {
    SetCurve(key, "nistp521", 521);
  }
}

void ReadOpenSsh(std::string_view blob, PrivateKey& key) {
  Bytes bytes{blob};
  constexpr std::string_view kMagic("openssh-key-v1\0", 15);
  if (bytes.Take(kMagic.size()) != kMagic) return;
  key.encrypted = bytes.String() != "none";
  bytes.String();   // name of the key derivation
  bytes.String();   // its parameters
  bytes.Number(4);  // keys, always 1
  ReadPublicBlob(bytes.String(), key);
}

// The numbers of PKCS #1 and of OpenSSL's DSA: a version, then the modulus.
void ReadModulus(std::string_view der, std::string_view type, PrivateKey& key) {
  Bytes bytes{Bytes{der}.Element(kDerSequence)};
  bytes.Element(kDerInteger);
  key.type = type;
  key.bits = BitsOf(bytes.Element(kDerInteger));
}

void ReadEc(std::string_view der, PrivateKey& key) {
  key.type = "ec";
  Bytes bytes{Bytes{der}.Element(kDerSequence)};
  bytes.Element(kDerInteger);
  bytes.Element(kDerOctets);
  SetCurveByName(key, Bytes{bytes.Element(0xa0)}.Element(kDerName));
}

void ReadPkcs8(std::string_view der, PrivateKey& key) {
  Bytes bytes{Bytes{der}.Element(kDerSequence)};
  bytes.Element(kDerInteger);
  Bytes algorithm{bytes.Element(kDerSequence)};
  const std::string_view oid = algorithm.Element(kDerName);
  if (oid == "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01") {
    ReadModulus(bytes.Element(kDerOctets), "rsa", key);
  } else if (oid == "\x2a\x86\x48\xce\x3d\x02\x01") {
    key.type = "ec";
    SetCurveByName(key, algorithm.Element(kDerName));
  } else if (oid == "\x2b\x65\x70") {
    key.type = "ed25519";
    key.bits = 256;
  }
}

}  // namespace

std::optional<AuthorizedKey> ParseAuthorizedKey(std::string_view line) {
  line = Trim(line);
  if (line.empty() || line.front() == '#') return std::nullopt;
  AuthorizedKey key;
  std::string_view word = NextQuotedWord(line);
  if (!IsKeyType(word)) {
    key.options = word;
    word = NextWord(line);
  }
  key.algorithm = word;
  key.key = NextWord(line);
  key.comment = Trim(line);
  if (key.key.empty()) return std::nullopt;
  return key;
}

std::optional<PrivateKey> ParsePrivateKey(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kPrivate = "PRIVATE KEY-----";
  const std::size_t begin = text.find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin + kBegin.size());
  std::string_view line;
  NextLine(text, line);
  line = Trim(line);
  if (!line.ends_with(kPrivate)) return std::nullopt;
  const std::string_view kind = Trim(line.substr(0, line.size() - kPrivate.size()));
  text = text.substr(0, text.find("-----END"));
  PrivateKey key;
  key.encrypted =
      kind == "ENCRYPTED" || text.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
  if (kind == "RSA" || kind == "DSA" || kind == "EC") {
    key.type = kind == "RSA" ? "rsa" : kind == "DSA" ? "dsa" : "ec";
  }
  const std::string bytes = key.encrypted ? std::string() : DecodeBase64(text).value_or("");
  if (!bytes.empty()) {
    if (kind == "OPENSSH") ReadOpenSsh(bytes, key);
    if (kind == "RSA" || kind == "DSA") ReadModulus(bytes, key.type, key);
    if (kind == "EC") ReadEc(bytes, key);
    if (kind.empty()) ReadPkcs8(bytes, key);
  }
  if (key.bits > 0) key.security_bits = SecurityBits(key.type, key.bits);
  return key;
}

}  // namespace holdfast::agent
