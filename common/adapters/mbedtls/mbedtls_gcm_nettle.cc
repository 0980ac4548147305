// mbedTLS's gcm.h on nettle. Checks and codes are those of the library's own gcm.c, 2.28 and 3.6. What
// differs: only AES of 128 and 256 bits is there, calls out of order are refused, a tag of a wrong
// length is refused before any text is out, and pieces of a message may have any length in 2.28 too.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <type_traits>
#include <utility>

#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>

extern "C" {
#include <mbedtls/constant_time.h>  // 2.28 forgot to say that it is C
}

#include "common/adapters/mbedtls/mbedtls_gcm.h"
#include "common/adapters/nettle/nettle_gcm.h"

namespace holdfast {

bool HasFastGcm() { return NettleGcm::IsFast(); }

}  // namespace holdfast

namespace {

using holdfast::NettleGcm;

bool TooLong(std::uint64_t bytes) { return bytes >> 61 != 0; }  // 2^64 bits
bool IsTagLength(std::size_t bytes) { return bytes >= 4 && bytes <= NettleGcm::Tag{}.size(); }

// All that a mbedtls_gcm_context holds, in its first bytes: nettle's state is larger than all of it.
// mbedTLS never copies one, and ends each with mbedtls_gcm_free.
struct Slot {
  NettleGcm* gcm;
};
static_assert(sizeof(mbedtls_gcm_context) >= sizeof(Slot));
static_assert(std::is_trivially_copyable_v<mbedtls_gcm_context>);

NettleGcm* Held(const mbedtls_gcm_context* ctx) {
  Slot slot{};
  std::memcpy(&slot, ctx, sizeof slot);
  return slot.gcm;
}

void Hold(mbedtls_gcm_context* ctx, std::unique_ptr<NettleGcm> gcm) {
  const std::unique_ptr<NettleGcm> before(Held(ctx));
  const Slot slot{gcm.release()};
  std::memcpy(static_cast<void*>(ctx), &slot, sizeof slot);
}

int Start(mbedtls_gcm_context* ctx, int mode, const unsigned char* iv, std::size_t iv_len) {
  NettleGcm* const gcm = Held(ctx);
  if (gcm == nullptr || (mode != MBEDTLS_GCM_ENCRYPT && mode != MBEDTLS_GCM_DECRYPT)) {
    return MBEDTLS_ERR_GCM_BAD_INPUT;
  }
  if (iv_len == 0 || TooLong(iv_len)) return MBEDTLS_ERR_GCM_BAD_INPUT;
  gcm->Start(
      mode == MBEDTLS_GCM_ENCRYPT ? NettleGcm::Direction::kEncrypt : NettleGcm::Direction::kDecrypt,
      {iv, iv_len});
  return 0;
}

int AddData(mbedtls_gcm_context* ctx, const unsigned char* add, std::size_t add_len) {
  NettleGcm* const gcm = Held(ctx);
  if (gcm == nullptr || TooLong(add_len)) return MBEDTLS_ERR_GCM_BAD_INPUT;
  return gcm->AddData({add, add_len}).ok() ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

int Crypt(mbedtls_gcm_context* ctx, std::size_t length, const unsigned char* input,
          unsigned char* output) {
  NettleGcm* const gcm = Held(ctx);
  if (gcm == nullptr) return MBEDTLS_ERR_GCM_BAD_INPUT;
  // As mbedTLS has it, though ours could: who relies on it would break with the other.
  const auto from = reinterpret_cast<std::uintptr_t>(input);
  const auto to = reinterpret_cast<std::uintptr_t>(output);
  if (to > from && to - from < length) return MBEDTLS_ERR_GCM_BAD_INPUT;
  return gcm->Crypt({input, length}, output).ok() ? 0 : MBEDTLS_ERR_GCM_BAD_INPUT;
}

int Finish(mbedtls_gcm_context* ctx, unsigned char* tag, std::size_t tag_len) {
  NettleGcm* const gcm = Held(ctx);
  if (gcm == nullptr || !IsTagLength(tag_len)) return MBEDTLS_ERR_GCM_BAD_INPUT;
  const holdfast::Result<NettleGcm::Tag> whole = gcm->Finish();
  if (!whole.ok()) return MBEDTLS_ERR_GCM_BAD_INPUT;
  std::memcpy(tag, whole.value().data(), tag_len);
  return 0;
}

}  // namespace

extern "C" {
// NOLINTBEGIN(readability-function-size): the parameters are mbedTLS's.

void mbedtls_gcm_init(mbedtls_gcm_context* ctx) {
  std::memset(static_cast<void*>(ctx), 0, sizeof *ctx);
}

int mbedtls_gcm_setkey(mbedtls_gcm_context* ctx, mbedtls_cipher_id_t cipher,
                       const unsigned char* key, unsigned int keybits) {
  if (cipher != MBEDTLS_CIPHER_ID_AES || keybits % 8 != 0) return MBEDTLS_ERR_GCM_BAD_INPUT;
  auto gcm = NettleGcm::Create({key, keybits / 8});
  if (!gcm.ok()) return MBEDTLS_ERR_GCM_BAD_INPUT;
  Hold(ctx, std::move(gcm).value());
  return 0;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context* ctx, int mode, std::size_t length,
                              const unsigned char* iv, std::size_t iv_len, const unsigned char* add,
                              std::size_t add_len, const unsigned char* input,
                              unsigned char* output, std::size_t tag_len, unsigned char* tag) {
  if (!IsTagLength(tag_len)) return MBEDTLS_ERR_GCM_BAD_INPUT;  // before any text is out
  int rc = Start(ctx, mode, iv, iv_len);
  if (rc == 0) rc = AddData(ctx, add, add_len);
  if (rc == 0) rc = Crypt(ctx, length, input, output);
  if (rc == 0) rc = Finish(ctx, tag, tag_len);
  return rc;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context* ctx, std::size_t length, const unsigned char* iv,
                             std::size_t iv_len, const unsigned char* add, std::size_t add_len,
                             const unsigned char* tag, std::size_t tag_len,
                             const unsigned char* input, unsigned char* output) {
  NettleGcm::Tag expected{};
  const int rc = mbedtls_gcm_crypt_and_tag(ctx, MBEDTLS_GCM_DECRYPT, length, iv, iv_len, add,
                                           add_len, input, output, tag_len, expected.data());
  if (rc != 0) return rc;
  if (mbedtls_ct_memcmp(expected.data(), tag, tag_len) == 0) return 0;
  mbedtls_platform_zeroize(output, length);
  return MBEDTLS_ERR_GCM_AUTH_FAILED;
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000

int mbedtls_gcm_starts(mbedtls_gcm_context* ctx, int mode, const unsigned char* iv,
                       std::size_t iv_len, const unsigned char* add, std::size_t add_len) {
  const int rc = Start(ctx, mode, iv, iv_len);
  return rc != 0 ? rc : AddData(ctx, add, add_len);
}

int mbedtls_gcm_update(mbedtls_gcm_context* ctx, std::size_t length, const unsigned char* input,
                       unsigned char* output) {
  return Crypt(ctx, length, input, output);
}

int mbedtls_gcm_finish(mbedtls_gcm_context* ctx, unsigned char* tag, std::size_t tag_len) {
  return Finish(ctx, tag, tag_len);
}

#else

int mbedtls_gcm_starts(mbedtls_gcm_context* ctx, int mode, const unsigned char* iv,
                       std::size_t iv_len) {
  return Start(ctx, mode, iv, iv_len);
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context* ctx, const unsigned char* add, std::size_t add_len) {
  return AddData(ctx, add, add_len);
}

int mbedtls_gcm_update(mbedtls_gcm_context* ctx, const unsigned char* input,
                       std::size_t input_length, unsigned char* output, std::size_t output_size,
                       std::size_t* output_length) {
  if (output_size < input_length) return MBEDTLS_ERR_GCM_BUFFER_TOO_SMALL;
  *output_length = input_length;
  return Crypt(ctx, input_length, input, output);
}

// All text went out in mbedtls_gcm_update: none is left for `output`.
int mbedtls_gcm_finish(mbedtls_gcm_context* ctx, unsigned char* /*output*/,
                       std::size_t /*output_size*/, std::size_t* output_length, unsigned char* tag,
                       std::size_t tag_len) {
  *output_length = 0;
  return Finish(ctx, tag, tag_len);
}

#endif

void mbedtls_gcm_free(mbedtls_gcm_context* ctx) {
  if (ctx == nullptr) return;
  Hold(ctx, nullptr);
  mbedtls_platform_zeroize(ctx, sizeof *ctx);
}

// NOLINTEND(readability-function-size)
}  // extern "C"
