// The agent's AES-GCM: nettle's behind mbedTLS's interface, held to the published vectors and, message
// by message, to OpenSSL. Linked with mbedTLS's archives, as the agent is.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <mbedtls/cipher.h>
#include <mbedtls/gcm.h>
#include <mbedtls/version.h>
#include <openssl/evp.h>

#include "common/adapters/mbedtls/mbedtls_gcm.h"
#include "common/adapters/nettle/nettle_gcm.h"
#include "common/base/bytes.h"

namespace holdfast {
namespace {

constexpr std::size_t kTagBytes = 16;

struct Message {
  std::string key;
  std::string nonce;
  std::string data;
  std::string text;
};
struct Sealed {
  std::string text;
  std::string tag;
  bool operator==(const Sealed&) const = default;
};

const std::uint8_t* In(const std::string& s) {
  return reinterpret_cast<const std::uint8_t*>(s.data());
}
std::uint8_t* Out(std::string& s) { return reinterpret_cast<std::uint8_t*>(s.data()); }
NettleGcm::Bytes Span(const std::string& s) { return {In(s), s.size()}; }

class GcmContext {
 public:
  GcmContext() { mbedtls_gcm_init(&raw); }
  explicit GcmContext(const std::string& key) : GcmContext() {
    EXPECT_EQ(SetKey(MBEDTLS_CIPHER_ID_AES, key), 0);
  }
  ~GcmContext() { mbedtls_gcm_free(&raw); }
  GcmContext(const GcmContext&) = delete;
  GcmContext& operator=(const GcmContext&) = delete;

  int SetKey(mbedtls_cipher_id_t cipher, const std::string& key) {
    return mbedtls_gcm_setkey(&raw, cipher, In(key), static_cast<unsigned>(key.size() * 8));
  }
  int Seal(const Message& m, const unsigned char* in, unsigned char* out, std::string& tag) {
    return mbedtls_gcm_crypt_and_tag(&raw, MBEDTLS_GCM_ENCRYPT, m.text.size(), In(m.nonce),
                                     m.nonce.size(), In(m.data), m.data.size(), in, out, tag.size(),
                                     Out(tag));
  }
  // What was sealed with the key, nonce and data of `m`, into `plain`, which has its size.
  int Open(const Message& m, const Sealed& sealed, std::string& plain) {
    return mbedtls_gcm_auth_decrypt(&raw, sealed.text.size(), In(m.nonce), m.nonce.size(),
                                    In(m.data), m.data.size(), In(sealed.tag), sealed.tag.size(),
                                    In(sealed.text), Out(plain));
  }

  mbedtls_gcm_context raw;
};

Sealed Seal(const Message& m) {
  Sealed out{std::string(m.text.size(), '\0'), std::string(kTagBytes, '\0')};
  GcmContext gcm(m.key);
  EXPECT_EQ(gcm.Seal(m, In(m.text), Out(out.text), out.tag), 0);
  return out;
}

Sealed SealByOpenssl(const Message& m) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> ctx(EVP_CIPHER_CTX_new(),
                                                                            &EVP_CIPHER_CTX_free);
  const EVP_CIPHER* cipher = m.key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
  EXPECT_EQ(EVP_EncryptInit_ex(ctx.get(), cipher, nullptr, nullptr, nullptr), 1);
  EXPECT_EQ(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_SET_IVLEN, static_cast<int>(m.nonce.size()),
                                nullptr),
            1);
  EXPECT_EQ(EVP_EncryptInit_ex(ctx.get(), nullptr, nullptr, In(m.key), In(m.nonce)), 1);
  int got = 0;
  EXPECT_EQ(
      EVP_EncryptUpdate(ctx.get(), nullptr, &got, In(m.data), static_cast<int>(m.data.size())), 1);
  Sealed out{std::string(m.text.size() + kTagBytes, '\0'), std::string(kTagBytes, '\0')};
  EXPECT_EQ(EVP_EncryptUpdate(ctx.get(), Out(out.text), &got, In(m.text),
                              static_cast<int>(m.text.size())),
            1);
  EXPECT_EQ(EVP_EncryptFinal_ex(ctx.get(), Out(out.text) + got, &got), 1);
  out.text.resize(m.text.size());
  EXPECT_EQ(EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, Out(out.tag)), 1);
  return out;
}

class Dice {  // the same throws each time
 public:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  std::string Bytes(std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }
  Message Any() {
    const std::size_t text_bytes = Below(8) == 0 ? Below(20000) : Below(200);
    return {Bytes(Below(2) == 0 ? 16 : 32), Bytes(Below(4) == 0 ? 1 + Below(70) : 12),
            Bytes(Below(100)), Bytes(text_bytes)};
  }

 private:
  std::mt19937 random_{1};  // NOLINT: on purpose
};

std::string Hex(const char* text) { return FromHex(text).value(); }

// McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B: what SP 800-38D and
// its validation suite build on. 1 to 6 are AES-128, 13 to 18 AES-256.
struct Vector {
  int number;
  const char* key;
  const char* nonce;
  const char* data;
  const char* text;
  const char* sealed;
  const char* tag;
};
constexpr char kKey[] = "feffe9928665731c6d6a8f9467308308";
constexpr char kKey256[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr char kZeros16[] = "00000000000000000000000000000000";
constexpr char kZeros32[] = "0000000000000000000000000000000000000000000000000000000000000000";
constexpr char kNonce[] = "cafebabefacedbaddecaf888";
constexpr char kLongNonce[] =
    "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b52"
    "5416aedbf5a0de6a57a637b39b";
constexpr char kData[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
constexpr char kText64[] =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b5"
    "25b16aedf5aa0de657ba637b391aafd255";
constexpr char kText60[] =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b5"
    "25b16aedf5aa0de657ba637b39";
constexpr Vector kVectors[] = {
    {1, kZeros16, "000000000000000000000000", "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
    {2, kZeros16, "000000000000000000000000", "", kZeros16, "0388dace60b6a392f328c2b971b2fe78",
     "ab6e47d42cec13bdf53a67b21257bddf"},
    {3, kKey, kNonce, "", kText64,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84a"
     "a"
     "051ba30b396a0aac973d58e091473f5985",
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {4, kKey, kNonce, kData, kText60,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84a"
     "a"
     "051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {5, kKey, "cafebabefacedbad", kData, kText60,
     "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896"
     "b"
     "424989b5e1ebac0f07c23f4598",
     "3612d2e79e3b0785561be14aaca2fccb"},
    {6, kKey, kLongNonce, kData, kText60,
     "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7"
     "c"
     "6fd62875d2aca417034c34aee5",
     "619cc5aefffe0bfa462af43c1699d050"},
    {13, kZeros32, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {14, kZeros32, "000000000000000000000000", "", kZeros16, "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {15, kKey256, kNonce, "", kText64,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828"
     "838"
     "c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {16, kKey256, kNonce, kData, kText60,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828"
     "838"
     "c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
    {18, kKey256, kLongNonce, kData, kText60,
     "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f244452da3ebf1c5d82"
     "cde"
     "a2418997200ef82e44ae7e3f",
     "a44a8266ee1c8eb0c8b5d4cf5ae9f19a"},
};

TEST(GcmTest, SealsAndOpensThePublishedVectors) {
  for (const Vector& v : kVectors) {
    SCOPED_TRACE("test case " + std::to_string(v.number));
    const Message m{Hex(v.key), Hex(v.nonce), Hex(v.data), Hex(v.text)};
    const Sealed expected{Hex(v.sealed), Hex(v.tag)};
    EXPECT_EQ(Seal(m), expected);
    std::string plain(m.text.size(), '\0');
    GcmContext gcm(m.key);
    EXPECT_EQ(gcm.Open(m, expected, plain), 0);
    EXPECT_EQ(plain, m.text);
  }
}

TEST(GcmTest, AgreesWithOpensslOnRandomMessagesInPlaceOrNot) {
  Dice dice;
  for (int round = 0; round < 3000; ++round) {
    const Message m = dice.Any();
    const Sealed expected = SealByOpenssl(m);
    ASSERT_EQ(Seal(m), expected) << "round " << round;

    GcmContext gcm(m.key);
    std::string in_place = m.text;
    std::string tag(kTagBytes, '\0');
    ASSERT_EQ(gcm.Seal(m, In(in_place), Out(in_place), tag), 0);
    ASSERT_EQ((Sealed{in_place, tag}), expected) << "round " << round;

    const std::size_t behind = dice.Below(40);  // the output trails the input
    std::string room = std::string(behind, 'x') + m.text;
    ASSERT_EQ(gcm.Seal(m, In(room) + behind, Out(room), tag), 0);
    room.resize(m.text.size());
    ASSERT_EQ((Sealed{room, tag}), expected) << "round " << round;

    ASSERT_EQ(
        mbedtls_gcm_auth_decrypt(&gcm.raw, in_place.size(), In(m.nonce), m.nonce.size(), In(m.data),
                                 m.data.size(), In(tag), tag.size(), In(in_place), Out(in_place)),
        0);
    ASSERT_EQ(in_place, m.text) << "round " << round;
  }
}

TEST(GcmTest, PiecesOfAnyLengthAreTheWholeMessage) {
  Dice dice;
  for (int round = 0; round < 2000; ++round) {
    const Message m = dice.Any();
    const Sealed expected = SealByOpenssl(m);
    const auto gcm = NettleGcm::Create(Span(m.key)).value();
    for (const bool seal : {true, false}) {
      const std::string& from = seal ? m.text : expected.text;
      std::string to = dice.Below(2) == 0 ? from : std::string(from.size(), '\0');
      const bool in_place = to == from;
      gcm->Start(seal ? NettleGcm::Direction::kEncrypt : NettleGcm::Direction::kDecrypt,
                 Span(m.nonce));
      for (std::size_t at = 0; at < m.data.size();) {
        const std::size_t piece = std::min(m.data.size() - at, dice.Below(40));
        ASSERT_TRUE(gcm->AddData(Span(m.data).subspan(at, piece)).ok());
        at += piece;
      }
      for (std::size_t at = 0; at < from.size();) {
        const std::size_t piece = std::min(from.size() - at, dice.Below(100));
        ASSERT_TRUE(gcm->Crypt(Span(in_place ? to : from).subspan(at, piece), Out(to) + at).ok());
        at += piece;
      }
      const auto tag = gcm->Finish();
      ASSERT_TRUE(tag.ok());
      ASSERT_EQ(to, seal ? expected.text : m.text) << "round " << round;
      ASSERT_EQ(std::string(tag.value().begin(), tag.value().end()), expected.tag) << round;
    }
  }
}

// The calls in pieces, as mbedTLS 2.28 and 3 have them.
int SealInTwo(GcmContext& gcm, const Message& m, std::size_t cut, Sealed& out) {
  mbedtls_gcm_context* raw = &gcm.raw;
  const std::size_t rest = m.text.size() - cut;
#if MBEDTLS_VERSION_NUMBER < 0x03000000
  int rc = mbedtls_gcm_starts(raw, MBEDTLS_GCM_ENCRYPT, In(m.nonce), m.nonce.size(), In(m.data),
                              m.data.size());
  if (rc == 0) rc = mbedtls_gcm_update(raw, cut, In(m.text), Out(out.text));
  if (rc == 0) rc = mbedtls_gcm_update(raw, rest, In(m.text) + cut, Out(out.text) + cut);
  return rc != 0 ? rc : mbedtls_gcm_finish(raw, Out(out.tag), out.tag.size());
#else
  std::size_t got = 0;
  int rc = mbedtls_gcm_starts(raw, MBEDTLS_GCM_ENCRYPT, In(m.nonce), m.nonce.size());
  if (rc == 0) rc = mbedtls_gcm_update_ad(raw, In(m.data), m.data.size());
  if (rc == 0) rc = mbedtls_gcm_update(raw, In(m.text), cut, Out(out.text), cut, &got);
  EXPECT_EQ(got, cut);
  if (rc == 0) {
    rc = mbedtls_gcm_update(raw, In(m.text) + cut, rest, Out(out.text) + cut, rest, &got);
  }
  EXPECT_EQ(mbedtls_gcm_update(raw, In(m.text), 1, Out(out.text), 0, &got),
            MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL);
  if (rc == 0) rc = mbedtls_gcm_finish(raw, nullptr, 0, &got, Out(out.tag), out.tag.size());
  EXPECT_EQ(got, 0U);
  return rc;
#endif
}

TEST(GcmTest, OneContextSealsMessageAfterMessageInPieces) {
  Dice dice;
  const std::string key = dice.Bytes(16);
  GcmContext gcm(key);
  for (int round = 0; round < 200; ++round) {
    Message m = dice.Any();
    m.key = key;
    Sealed out{std::string(m.text.size(), '\0'), std::string(kTagBytes, '\0')};
    ASSERT_EQ(SealInTwo(gcm, m, dice.Below(m.text.size() + 1), out), 0);
    ASSERT_EQ(out, SealByOpenssl(m)) << "round " << round;
  }
}

TEST(GcmTest, RefusesWhatWasTamperedWithAndLeavesNoPlaintext) {
  Dice dice;
  const std::vector<std::function<std::string&(Message&, Sealed&)>> parts = {
      [](Message&, Sealed& s) -> std::string& { return s.tag; },
      [](Message&, Sealed& s) -> std::string& { return s.text; },
      [](Message& m, Sealed&) -> std::string& { return m.data; },
      [](Message& m, Sealed&) -> std::string& { return m.nonce; }};
  for (int round = 0; round < 2000; ++round) {
    Message m = dice.Any();
    m.data += 'd';
    m.text += 't';
    Sealed sealed = Seal(m);
    std::string& part = parts[static_cast<std::size_t>(round) % parts.size()](m, sealed);
    part[dice.Below(part.size())] ^= static_cast<char>(1U << dice.Below(8));
    GcmContext gcm(m.key);
    std::string plain(m.text.size(), 'x');
    ASSERT_EQ(gcm.Open(m, sealed, plain), MBEDTLS_ERR_GCM_AUTH_FAILED) << "round " << round;
    ASSERT_EQ(plain, std::string(m.text.size(), '\0')) << "round " << round;
  }
}

TEST(GcmTest, TagsHaveFourToSixteenBytes) {
  const Message m{std::string(16, 'k'), std::string(12, 'n'), "data", "text"};
  const Sealed whole = Seal(m);
  GcmContext gcm(m.key);
  for (std::size_t bytes = 0; bytes <= 17; ++bytes) {
    const int expected = bytes >= 4 && bytes <= 16 ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
    std::string text(m.text.size(), 'x');
    std::string tag(bytes, '\0');
    EXPECT_EQ(gcm.Seal(m, In(m.text), Out(text), tag), expected) << bytes;
    EXPECT_EQ(text, expected == 0 ? whole.text : "xxxx");
    EXPECT_EQ(tag, expected == 0 ? whole.tag.substr(0, bytes) : std::string(bytes, '\0'));
    text = "xxxx";
    EXPECT_EQ(gcm.Open(m, {whole.text, (whole.tag + "y").substr(0, bytes)}, text), expected);
    EXPECT_EQ(text, expected == 0 ? m.text : "xxxx") << bytes;
  }
}

TEST(GcmTest, RefusesWhatMbedtlsRefuses) {
  const Message m{std::string(16, 'k'), std::string(12, 'n'), "data", "text"};
  std::string room(64, 'x');
  std::string tag(kTagBytes, '\0');
  GcmContext unkeyed;
  EXPECT_EQ(unkeyed.Seal(m, In(m.text), Out(room), tag), MBEDTLS_ERR_GCM_BAD_INPUT);
  EXPECT_EQ(unkeyed.SetKey(MBEDTLS_CIPHER_ID_AES, std::string(15, 'k')), MBEDTLS_ERR_GCM_BAD_INPUT);
  EXPECT_EQ(unkeyed.SetKey(MBEDTLS_CIPHER_ID_CAMELLIA, m.key), MBEDTLS_ERR_GCM_BAD_INPUT);

  GcmContext gcm(m.key);
  const auto crypt = [&](int mode, std::size_t length, std::size_t iv_len, std::size_t add_len,
                         std::size_t to) {
    return mbedtls_gcm_crypt_and_tag(&gcm.raw, mode, length, In(m.nonce), iv_len, In(m.data),
                                     add_len, In(room), Out(room) + to, tag.size(), Out(tag));
  };
  constexpr std::uint64_t kMax = NettleGcm::kMaxTextBytes;
  EXPECT_EQ(crypt(MBEDTLS_GCM_ENCRYPT, 4, 0, 4, 0), MBEDTLS_ERR_GCM_BAD_INPUT);
  EXPECT_EQ(crypt(MBEDTLS_GCM_ENCRYPT, 4, std::size_t{1} << 61, 4, 0), MBEDTLS_ERR_GCM_BAD_INPUT);
  EXPECT_EQ(crypt(MBEDTLS_GCM_ENCRYPT, 4, 12, std::size_t{1} << 61, 0), MBEDTLS_ERR_GCM_BAD_INPUT);
  EXPECT_EQ(crypt(MBEDTLS_GCM_ENCRYPT, kMax + 1, 12, 4, 0), MBEDTLS_ERR_GCM_BAD_INPUT);
  EXPECT_EQ(crypt(MBEDTLS_GCM_ENCRYPT, 4, 12, 4, 3), MBEDTLS_ERR_GCM_BAD_INPUT);  // output ahead
  EXPECT_EQ(crypt(2, 4, 12, 4, 0), MBEDTLS_ERR_GCM_BAD_INPUT);
  EXPECT_EQ(room, std::string(64, 'x'));
  EXPECT_EQ(crypt(MBEDTLS_GCM_ENCRYPT, 4, 12, 4, 4), 0);
}

TEST(GcmTest, ANewKeyReplacesTheOldOneAndFreeForgetsIt) {
  const Message m{std::string(32, 'k'), std::string(12, 'n'), "data", "text"};
  GcmContext gcm(std::string(16, 'o'));
  EXPECT_EQ(gcm.SetKey(MBEDTLS_CIPHER_ID_AES, m.key), 0);
  std::string plain(m.text.size(), 'x');
  EXPECT_EQ(gcm.Open(m, SealByOpenssl(m), plain), 0);
  mbedtls_gcm_free(&gcm.raw);
  EXPECT_EQ(gcm.Open(m, SealByOpenssl(m), plain), MBEDTLS_ERR_GCM_BAD_INPUT);
  mbedtls_gcm_free(&gcm.raw);
  mbedtls_gcm_free(nullptr);
}

TEST(GcmTest, RefusesCallsOutOfOrder) {
  const std::string key(16, 'k');
  const auto gcm = NettleGcm::Create(Span(key)).value();
  std::string text = "text";
  EXPECT_FALSE(gcm->AddData(Span(text)).ok());
  EXPECT_FALSE(gcm->Crypt(Span(text), Out(text)).ok());
  EXPECT_FALSE(gcm->Finish().ok());
  gcm->Start(NettleGcm::Direction::kEncrypt, Span(key));
  EXPECT_TRUE(gcm->Crypt(Span(text), Out(text)).ok());
  EXPECT_FALSE(gcm->AddData(Span(text)).ok());
  EXPECT_TRUE(gcm->Finish().ok());
  EXPECT_FALSE(gcm->Crypt(Span(text), Out(text)).ok());  // the nonce is used up
}

TEST(GcmTest, TheLimitOfAMessageCountsAllItsPieces) {
  const std::string key(16, 'k');
  const auto gcm = NettleGcm::Create(Span(key)).value();
  std::string text(20, 't');
  gcm->Start(NettleGcm::Direction::kEncrypt, Span(key));
  EXPECT_TRUE(gcm->Crypt(Span(text), Out(text)).ok());
  const NettleGcm::Bytes claimed(In(text), NettleGcm::kMaxTextBytes - text.size() + 1);
  const auto got = gcm->Crypt(claimed, Out(text));  // refused before it is looked at
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code, Code::kExhausted);
  EXPECT_TRUE(gcm->Finish().ok());
}

// mbedTLS's TLS goes through its cipher layer. That AES-192 is refused there shows whose GCM it found.
TEST(GcmTest, StandsBehindMbedtlssCipherLayer) {
  const Message m{std::string(16, 'k'), std::string(12, 'n'), "data", "text"};
  const Sealed expected = SealByOpenssl(m);
  mbedtls_cipher_context_t cipher;
  mbedtls_cipher_init(&cipher);
  ASSERT_EQ(
      mbedtls_cipher_setup(&cipher, mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_128_GCM)), 0);
  ASSERT_EQ(mbedtls_cipher_setkey(&cipher, In(m.key), 128, MBEDTLS_ENCRYPT), 0);
  std::string out(m.text.size() + kTagBytes, '\0');
  std::size_t got = 0;
  ASSERT_EQ(mbedtls_cipher_auth_encrypt_ext(&cipher, In(m.nonce), m.nonce.size(), In(m.data),
                                            m.data.size(), In(m.text), m.text.size(), Out(out),
                                            out.size(), &got, kTagBytes),
            0);
  EXPECT_EQ(out, expected.text + expected.tag);
  mbedtls_cipher_free(&cipher);
  ASSERT_EQ(
      mbedtls_cipher_setup(&cipher, mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_192_GCM)), 0);
  const std::string key192(24, 'k');
  EXPECT_NE(mbedtls_cipher_setkey(&cipher, In(key192), 192, MBEDTLS_ENCRYPT), 0);
  mbedtls_cipher_free(&cipher);
}

TEST(GcmTest, IsFastWhereTheKernelNamesBothInstructions) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("flags") && !line.starts_with("Features")) {
  }
  std::istringstream words(line);
  const std::vector<std::string> flags{std::istream_iterator<std::string>(words), {}};
  const auto has = [&](const char* flag) {
    return std::find(flags.begin(), flags.end(), flag) != flags.end();
  };
  EXPECT_EQ(HasFastGcm(), has("aes") && (has("pclmulqdq") || has("pmull")));
}

}  // namespace
}  // namespace holdfast
