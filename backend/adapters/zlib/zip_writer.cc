#include "backend/adapters/zlib/zip_writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <zlib.h>

#include "backend/adapters/zlib/zip_layout.h"
#include "common/base/check.h"

namespace holdfast::backend {
namespace {

constexpr std::size_t kDeflateBytes = std::size_t{64} * 1024;
// Logs shrink to a tenth with the fastest level; the best takes five times as long for a seventh less.
constexpr int kLevel = 1;
constexpr int kRawStream = -15;  // no header of zlib's; the largest window
constexpr int kUsualMemory = 8;
// Deflate makes what it cannot shrink larger by less than a thousandth.
constexpr std::uint64_t kMostOfSmall = std::uint64_t{3} << 30;

}  // namespace

struct ZipWriter::State {
  ~State() { deflateEnd(&stream); }

  Write write;
  z_stream stream = {};
  std::vector<char> packed = std::vector<char>(kDeflateBytes);
  uLong crc32 = 0;  // of all that was written
  std::uint64_t written_bytes = 0;
  std::string directory;
  std::uint64_t entries = 0;
  ZipEntry entry;  // at hand
};

ZipWriter::ZipWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZipWriter::~ZipWriter() = default;

Result<std::unique_ptr<ZipWriter>> ZipWriter::Create(Write write) {
  auto state = std::make_unique<State>();
  state->write = std::move(write);
  if (deflateInit2(&state->stream, kLevel, Z_DEFLATED, kRawStream, kUsualMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return Error{Code::kInternal, "zlib cannot begin"};
  }
  return std::unique_ptr<ZipWriter>(new ZipWriter(std::move(state)));
}

Status ZipWriter::Put(std::string_view bytes) {
  state_->crc32 =
      crc32_z(state_->crc32, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  state_->written_bytes += bytes.size();
  return state_->write(bytes);
}

Status ZipWriter::BeginEntry(const std::string& name, std::int64_t mtime_s,
                             std::uint64_t most_bytes) {
  if (!IsZipName(name)) return Error{Code::kInvalid, "no name for an entry of a zip"};
  state_->entry = {.name = name,
                   .mtime_s = ZipTime(mtime_s),
                   .is_large = most_bytes > kMostOfSmall,
                   .crc32 = 0,
                   .packed_bytes = 0,
                   .bytes = 0,
                   .offset = state_->written_bytes};
  HF_CHECK(deflateReset(&state_->stream) == Z_OK);
  return Put(LocalHeader(state_->entry));
}

Status ZipWriter::Deflate(std::string_view bytes, int flush) {
  z_stream& stream = state_->stream;
  // zlib takes const away, and takes nothing else.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int result = Z_OK;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(state_->packed.data());
    stream.avail_out = static_cast<uInt>(state_->packed.size());
    result = deflate(&stream, flush);
    const std::size_t made = state_->packed.size() - stream.avail_out;
    state_->entry.packed_bytes += made;
    if (made > 0) HF_TRY(Put({state_->packed.data(), made}));
  } while (stream.avail_out == 0 || (flush == Z_FINISH && result != Z_STREAM_END));
  return Ok();
}

Status ZipWriter::Append(std::string_view bytes) {
  ZipEntry& entry = state_->entry;
  entry.bytes += bytes.size();
  if (!entry.is_large && entry.bytes > kMostOfSmall) {
    return Error{Code::kCorrupt, entry.name + " has more bytes than were said"};
  }
  entry.crc32 = static_cast<std::uint32_t>(
      crc32_z(entry.crc32, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kDeflateBytes);
    HF_TRY(Deflate(piece, Z_NO_FLUSH));
    bytes.remove_prefix(piece.size());
  }
  return Ok();
}

Status ZipWriter::EndEntry() {
  HF_TRY(Deflate({}, Z_FINISH));
  HF_TRY(Put(Descriptor(state_->entry)));
  state_->directory += CentralHeader(state_->entry);
  ++state_->entries;
  return Ok();
}

Status ZipWriter::Finish() {
  const std::uint64_t offset = state_->written_bytes;
  HF_TRY(Put(state_->directory));
  HF_TRY(Put(ZipEnd(state_->entries, offset, state_->directory.size())));
  return state_->write(ZipComment(static_cast<std::uint32_t>(state_->crc32)));
}

}  // namespace holdfast::backend
