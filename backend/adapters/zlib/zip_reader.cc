#include "backend/adapters/zlib/zip_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "backend/adapters/zlib/zip_layout.h"
#include "common/base/check.h"
#include "common/base/untrusted.h"

namespace holdfast::backend {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{256} * 1024;
constexpr int kRawDeflate = -15;
constexpr std::size_t kMaxTailBytes = kZip64EndBytes + kZip64LocatorBytes + kZipEndBytes;

Error NoZip(const std::string& path, const std::string& why) {
  return {Code::kCorrupt, path + ": " + why};
}
Error Bent(const ZipEntry& entry, const std::string& why) {
  return {Code::kCorrupt, ForTerminal(Untrusted(entry.name)) + ": " + why};
}

}  // namespace

struct ZipReader::State {
  ~State() {
    inflateEnd(&stream);
    if (fd >= 0) ::close(fd);
  }
  // As many bytes as there are from `offset`, at most out.size().
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<char> out) const {
    std::size_t have = 0;
    while (have < out.size()) {
      const ssize_t got =
          ::pread(fd, out.data() + have, out.size() - have, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        return Error{Code::kInternal, path + ": " + std::generic_category().message(errno)};
      if (got == 0) break;
      have += static_cast<std::size_t>(got);
    }
    return have;
  }
  Result<std::string> Take(std::uint64_t offset, std::uint64_t bytes) const {
    std::string out(static_cast<std::size_t>(bytes), '\0');
    HF_ASSIGN_OR_RETURN(const std::size_t got, ReadAt(offset, out));
    out.resize(got);
    return out;
  }
  // `is`: whether it is exactly there.
  Result<bool> Has(std::uint64_t offset, std::string_view bytes) const {
    HF_ASSIGN_OR_RETURN(const std::string there, Take(offset, bytes.size()));
    return there == bytes;
  }
  Status ReadDirectory();
  Status EndEntry();

  std::string path;
  int fd = -1;
  std::uint64_t size = 0;
  std::string directory;  // its bytes
  std::size_t at = 0;     // in it: of the next entry
  std::uint64_t data_end = 0;

  ZipEntry entry;
  std::uint64_t next_offset = 0;
  z_stream stream = {};
  std::vector<char> packed = std::vector<char>(kPieceBytes);
  std::uint64_t packed_offset = 0;  // of the next bytes to fetch
  std::uint64_t packed_left = 0;    // to be fetched
  std::uint64_t made_bytes = 0;     // of it, so far
  uLong crc32 = 0;
  bool is_at_end = true;
};

ZipReader::ZipReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZipReader::~ZipReader() = default;

Status ZipReader::State::ReadDirectory() {
  const std::uint64_t least = kZipEndBytes + ZipCommentBytes();
  if (size < least) return NoZip(path, "is no zip of a collection");
  const std::uint64_t end = size - ZipCommentBytes();
  const std::uint64_t tail_bytes = std::min<std::uint64_t>(end, kMaxTailBytes);
  HF_ASSIGN_OR_RETURN(const std::string tail, Take(end - tail_bytes, tail_bytes));
  const auto found = ReadZipEnd(tail);
  if (!found) return NoZip(path, "is no zip of a collection, or was cut, or packed anew");
  const std::uint64_t end_bytes = ZipEnd(found->entries, found->offset, found->bytes).size();
  const bool is_behind = found->offset <= end && found->bytes <= end - found->offset &&
                         end - found->offset - found->bytes == end_bytes;
  if (!is_behind) return NoZip(path, "its directory is not where it belongs");
  if (found->bytes > kMaxDirectoryBytes) return NoZip(path, "its directory is too large");
  HF_ASSIGN_OR_RETURN(directory, Take(found->offset, found->bytes));
  if (directory.size() != found->bytes) return NoZip(path, "was cut while it was read");
  data_end = found->offset;
  // All of it before anything is believed: nothing overlaps, and nothing lies between.
  std::uint64_t entries = 0;
  std::uint64_t offset = 0;
  for (std::size_t from = 0; from < directory.size(); ++entries) {
    const auto read = ReadCentralHeader(std::string_view(directory).substr(from));
    if (!read) return NoZip(path, "its directory is not as collections have it");
    const ZipEntry& one = read->entry;
    if (!IsZipName(one.name)) return Bent(one, "is a name that leads out of a directory");
    const std::uint64_t around = LocalHeader(one).size() + Descriptor(one).size();
    if (one.offset != offset || data_end - offset < around ||
        one.packed_bytes > data_end - offset - around) {
      return Bent(one, "is not where it belongs");
    }
    offset += around + one.packed_bytes;
    from += read->header_bytes;
  }
  if (offset != data_end || entries != found->entries) {
    return NoZip(path, "has bytes that belong to no entry");
  }
  return Ok();
}

Result<std::unique_ptr<ZipReader>> ZipReader::Open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (state->fd < 0) {
    const Code code = errno == ENOENT                     ? Code::kNotFound
                      : errno == EACCES || errno == EPERM ? Code::kDenied
                                                          : Code::kInvalid;
    return Error{code, path + ": " + std::generic_category().message(errno)};
  }
  struct stat at = {};
  if (::fstat(state->fd, &at) != 0 || !S_ISREG(at.st_mode)) {
    return Error{Code::kInvalid, path + " is no regular file"};
  }
  state->size = static_cast<std::uint64_t>(at.st_size);
  if (inflateInit2(&state->stream, kRawDeflate) != Z_OK) {
    return Error{Code::kInternal, "zlib cannot begin"};
  }
  HF_TRY(state->ReadDirectory());
  return std::unique_ptr<ZipReader>(new ZipReader(std::move(state)));
}

void ZipReader::Rewind() { state_->at = 0; }

Result<const ZipEntry*> ZipReader::Next() {
  State& state = *state_;
  if (state.at == state.directory.size()) return static_cast<const ZipEntry*>(nullptr);
  auto read = ReadCentralHeader(std::string_view(state.directory).substr(state.at));
  HF_CHECK(read.has_value());  // ReadDirectory()
  state.at += read->header_bytes;
  state.entry = std::move(read->entry);
  const std::string header = LocalHeader(state.entry);
  HF_ASSIGN_OR_RETURN(const bool is_there, state.Has(state.entry.offset, header));
  if (!is_there) return Bent(state.entry, "the header before it says something else");
  HF_CHECK(inflateReset(&state.stream) == Z_OK);
  state.stream.avail_in = 0;
  state.packed_offset = state.entry.offset + header.size();
  state.packed_left = state.entry.packed_bytes;
  state.made_bytes = 0;
  state.crc32 = 0;
  state.is_at_end = false;
  return static_cast<const ZipEntry*>(&state.entry);
}

Result<std::size_t> ZipReader::Read(std::span<char> out) {
  State& state = *state_;
  if (state.is_at_end || out.empty()) return 0;
  z_stream& stream = state.stream;
  out = out.first(std::min(out.size(), kPieceBytes));
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  while (stream.avail_out == out.size()) {
    if (stream.avail_in == 0 && state.packed_left > 0) {
      const std::size_t want = std::min<std::uint64_t>(state.packed_left, state.packed.size());
      HF_ASSIGN_OR_RETURN(const std::size_t got,
                          state.ReadAt(state.packed_offset, std::span(state.packed).first(want)));
      if (got != want) return Bent(state.entry, "was cut while it was read");
      state.packed_offset += got;
      state.packed_left -= got;
      stream.next_in = reinterpret_cast<Bytef*>(state.packed.data());
      stream.avail_in = static_cast<uInt>(got);
    }
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      if (stream.avail_in > 0 || state.packed_left > 0) {
        return Bent(state.entry, "has bytes behind its end");
      }
      state.is_at_end = true;
      break;
    }
    if (result != Z_OK) return Bent(state.entry, "its packed bytes were altered");
  }
  const std::size_t made = out.size() - stream.avail_out;
  state.made_bytes += made;
  state.crc32 = crc32_z(state.crc32, reinterpret_cast<const Bytef*>(out.data()), made);
  if (state.is_at_end) HF_TRY(state.EndEntry());
  return made;
}

Status ZipReader::State::EndEntry() {
  if (made_bytes != entry.bytes || crc32 != entry.crc32) {
    return Bent(entry, "its size or checksum is not what the zip says");
  }
  HF_ASSIGN_OR_RETURN(const bool is_there, Has(packed_offset, Descriptor(entry)));
  return is_there ? Ok() : Status(Bent(entry, "what stands behind it says something else"));
}

Status ZipReader::CheckBytes() {
  State& state = *state_;
  uLong sum = 0;
  std::uint64_t left = state.size - ZipCommentBytes();
  for (std::uint64_t offset = 0; left > 0;) {
    const auto piece =
        std::span(state.packed).first(std::min<std::uint64_t>(left, state.packed.size()));
    HF_ASSIGN_OR_RETURN(const std::size_t got, state.ReadAt(offset, piece));
    if (got != piece.size()) return NoZip(state.path, "was cut while it was read");
    sum = crc32_z(sum, reinterpret_cast<const Bytef*>(piece.data()), got);
    offset += got;
    left -= got;
  }
  HF_ASSIGN_OR_RETURN(const bool is_right, state.Has(state.size - ZipCommentBytes(),
                                                     ZipComment(static_cast<std::uint32_t>(sum))));
  if (is_right) return Ok();
  return NoZip(state.path,
               "bytes were altered that belong to no content: it was damaged or tampered with");
}

}  // namespace holdfast::backend
