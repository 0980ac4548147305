#include "backend/adapters/libarchive/zip_reader.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <archive.h>
#include <archive_entry.h>

namespace holdfast::backend {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} * 1024;

}  // namespace

struct ZipReader::State {
  ~State() {
    if (in != nullptr) archive_read_free(in);
  }
  Error Told(const std::string& doing) const {
    const char* why = archive_error_string(in);
    return {Code::kCorrupt, doing + ": " + (why == nullptr ? "it cannot be read" : why)};
  }

  archive* in = nullptr;
  std::string path;
  std::string name;  // of the entry at hand
};

ZipReader::ZipReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZipReader::~ZipReader() = default;

Result<std::unique_ptr<ZipReader>> ZipReader::Open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  state->in = archive_read_new();
  if (state->in == nullptr) return Error{Code::kInternal, "libarchive cannot begin"};
  // By its directory at the end, as those do who unpack it; nothing but a zip.
  if (archive_read_support_format_zip_seekable(state->in) != ARCHIVE_OK) {
    return Error{Code::kInternal, "this libarchive reads no zips"};
  }
  if (archive_read_open_filename(state->in, path.c_str(), kBlockBytes) != ARCHIVE_OK) {
    const int error = archive_errno(state->in);
    Error told = state->Told(path);
    if (error == ENOENT) told.code = Code::kNotFound;
    if (error == EACCES || error == EPERM) told.code = Code::kDenied;
    return told;
  }
  return std::unique_ptr<ZipReader>(new ZipReader(std::move(state)));
}

Result<std::optional<std::string>> ZipReader::Next() {
  archive_entry* entry = nullptr;
  const int got = archive_read_next_header(state_->in, &entry);
  if (got == ARCHIVE_EOF) return std::optional<std::string>();
  if (got != ARCHIVE_OK) return state_->Told(state_->path);
  const char* name = archive_entry_pathname(entry);
  const bool is_ascii =
      name != nullptr && std::all_of(name, name + std::char_traits<char>::length(name),
                                     [](char c) { return c >= ' ' && c < 0x7F; });
  if (!is_ascii) return Error{Code::kCorrupt, state_->path + ": an entry has no plain name"};
  state_->name = name;
  if (archive_entry_filetype(entry) != AE_IFREG) {
    return Error{Code::kCorrupt, state_->name + " is no regular file"};
  }
  return std::optional(state_->name);
}

Result<std::size_t> ZipReader::Read(std::span<char> out) {
  const la_ssize_t got = archive_read_data(state_->in, out.data(), out.size());
  if (got < 0) return state_->Told(state_->name);
  return static_cast<std::size_t>(got);
}

}  // namespace holdfast::backend
