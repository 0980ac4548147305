#include "agent/adapters/digest/file_digest.h"

#include <array>
#include <string>

#include <mbedtls/md.h>

#include "common/adapters/mbedtls/mbedtls_sha256.h"
#include "common/base/bytes.h"
#include "common/sign/crypto.h"

namespace holdfast::agent {
namespace {

// mbedtls_md has had the same calls since 2.0; the per-hash functions were renamed in 3.0.
class Digest1 {
 public:
  explicit Digest1(mbedtls_md_type_t type) : info_(mbedtls_md_info_from_type(type)) {
    mbedtls_md_init(&context_);
    good_ = info_ != nullptr && mbedtls_md_setup(&context_, info_, 0) == 0 &&
            mbedtls_md_starts(&context_) == 0;
  }
  ~Digest1() { mbedtls_md_free(&context_); }
  Digest1(const Digest1&) = delete;
  Digest1& operator=(const Digest1&) = delete;

  void Update(std::string_view bytes) {
    good_ =
        good_ && mbedtls_md_update(&context_, reinterpret_cast<const unsigned char*>(bytes.data()),
                                   bytes.size()) == 0;
  }
  std::string FinishHex() {
    std::array<unsigned char, MBEDTLS_MD_MAX_SIZE> out = {};
    if (!good_ || mbedtls_md_finish(&context_, out.data()) != 0) return {};
    return ToHex({reinterpret_cast<const char*>(out.data()), mbedtls_md_get_size(info_)});
  }

 private:
  const mbedtls_md_info_t* info_;
  mbedtls_md_context_t context_;
  bool good_ = false;
};

// A piece stays in the first-level cache while all three read it.
constexpr std::size_t kPieceBytes = std::size_t{16} * 1024;

}  // namespace

struct FileDigest::State {
  Digest1 md5{MBEDTLS_MD_MD5};
  Digest1 sha1{MBEDTLS_MD_SHA1};
  std::unique_ptr<sign::Hasher> sha256 = NewMbedtlsSha256();  // with the processor's help
  std::uint64_t size = 0;
};

FileDigest::FileDigest() : state_(std::make_unique<State>()) {}
FileDigest::~FileDigest() = default;

void FileDigest::Update(std::string_view bytes) {
  state_->size += bytes.size();
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    state_->md5.Update(piece);
    state_->sha1.Update(piece);
    state_->sha256->Update(piece);
    bytes.remove_prefix(piece.size());
  }
}

FileHashes FileDigest::Finish() {
  return {.size = state_->size,
          .md5 = state_->md5.FinishHex(),
          .sha1 = state_->sha1.FinishHex(),
          .sha256 = state_->sha256->Finish().hex()};
}

}  // namespace holdfast::agent
