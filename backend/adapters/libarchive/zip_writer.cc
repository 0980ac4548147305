#include "backend/adapters/libarchive/zip_writer.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <archive.h>
#include <archive_entry.h>

namespace holdfast::backend {
namespace {

constexpr int kBlockBytes = 256 * 1024;
// Logs shrink to a tenth with the fastest level; the best takes five times as long for a seventh less.
constexpr char kOptions[] = "zip:compression=deflate,zip:compression-level=1";
// A zip's own time begins in 1980 and ends in 2107; the exact one stands beside it as 32 bits.
constexpr std::int64_t kLatest = INT32_MAX;

}  // namespace

struct ZipWriter::State {
  ~State() {
    if (out != nullptr) archive_write_free(out);
    if (entry != nullptr) archive_entry_free(entry);
  }
  Status Told(int result) {
    if (result >= ARCHIVE_WARN) return Ok();
    if (failure) return *failure;
    const char* why = archive_error_string(out);
    return Error{Code::kInternal, std::string("writing a zip: ") + (why == nullptr ? "?" : why)};
  }

  archive* out = nullptr;
  archive_entry* entry = nullptr;
  Write write;
  std::optional<Error> failure;  // of `write`
};

ZipWriter::ZipWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
ZipWriter::~ZipWriter() {
  // An archive that is freed unfinished writes what it still holds: nobody wants that any more.
  state_->write = [](std::string_view) { return Ok(); };
}

Result<std::unique_ptr<ZipWriter>> ZipWriter::Create(Write write) {
  auto state = std::make_unique<State>();
  state->write = std::move(write);
  state->out = archive_write_new();
  state->entry = archive_entry_new();
  if (state->out == nullptr || state->entry == nullptr) {
    return Error{Code::kInternal, "libarchive cannot begin"};
  }
  archive* out = state->out;
  HF_TRY(state->Told(archive_write_set_format_zip(out)));
  HF_TRY(state->Told(archive_write_set_options(out, kOptions)));
  HF_TRY(state->Told(archive_write_set_bytes_per_block(out, kBlockBytes)));
  HF_TRY(state->Told(archive_write_set_bytes_in_last_block(out, 1)));  // no padding
  const auto put = [](archive* of, void* self, const void* bytes, std::size_t size) -> la_ssize_t {
    auto& to = *static_cast<State*>(self);
    Status wrote = to.write({static_cast<const char*>(bytes), size});
    if (wrote.ok()) return static_cast<la_ssize_t>(size);
    archive_set_error(of, EIO, "cannot be written");
    to.failure = std::move(wrote).error();
    return -1;
  };
  HF_TRY(state->Told(archive_write_open(out, state.get(), nullptr, put, nullptr)));
  return std::unique_ptr<ZipWriter>(new ZipWriter(std::move(state)));
}

Status ZipWriter::BeginEntry(const std::string& name, std::int64_t mtime_s) {
  archive_entry* entry = state_->entry;
  archive_entry_clear(entry);
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0600);
  archive_entry_set_mtime(entry, std::clamp<std::int64_t>(mtime_s, 0, kLatest), 0);
  return state_->Told(archive_write_header(state_->out, entry));
}

Status ZipWriter::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const la_ssize_t took = archive_write_data(state_->out, bytes.data(), bytes.size());
    if (took <= 0) return state_->Told(ARCHIVE_FATAL);
    bytes.remove_prefix(static_cast<std::size_t>(took));
  }
  return Ok();
}

Status ZipWriter::EndEntry() { return state_->Told(archive_write_finish_entry(state_->out)); }
Status ZipWriter::Finish() { return state_->Told(archive_write_close(state_->out)); }

}  // namespace holdfast::backend
