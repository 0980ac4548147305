// Client's upload of a file's content: hashed first, then sent in parts, several under way.
#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/sdk/client.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/files.h"

namespace holdfast::sdk {
namespace {

constexpr std::size_t kPartBytes = std::size_t{256} * 1024;         // api.proto, BlobPart
constexpr std::uint64_t kMaxUploadBytes = std::uint64_t{16} << 30;  // api.proto, BlobBegin
// Parts under way: 4 MiB cover a fast line's round trip.
constexpr int kMaxOpenParts = 16;

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Result<std::string> ReadAt(int fd, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t n =
        ::pread(fd, out.data() + have, size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FileError("reading", "the file to upload", errno);
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

Result<Client::Upload> HashFile(const sign::Crypto& crypto, int fd) {
  const auto hasher = crypto.NewSha256();
  Client::Upload upload;
  for (;;) {
    HF_ASSIGN_OR_RETURN(const std::string piece, ReadAt(fd, upload.size, kPartBytes));
    if (piece.empty()) break;
    hasher->Update(piece);
    upload.size += piece.size();
  }
  upload.sha256 = hasher->Finish();
  return upload;
}

}  // namespace

Result<Client::Upload> Client::UploadFile(const std::string& path, const Progress& progress) {
  const OpenFile file(path);
  if (file.fd() < 0) return FileError("opening", path, errno);
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return FileError("looking at", path, errno);
  if (!S_ISREG(info.st_mode)) return Error{Code::kInvalid, path + " is not a regular file"};
  if (static_cast<std::uint64_t>(info.st_size) > kMaxUploadBytes) {
    return Error{Code::kInvalid, path + " is larger than 16 GiB"};
  }
  HF_ASSIGN_OR_RETURN(const Upload upload, HashFile(crypto_, file.fd()));
  const TimePoint give_up = MonotonicNow() + options_.timeout;
  for (int attempt = 0;; ++attempt) {
    Status sent = UploadFrom(file.fd(), upload, progress);
    if (sent.ok()) return upload;
    HF_TRY(BackOff(sent.error(), attempt, std::max(give_up, MonotonicNow() + Duration(1))));
  }
}

// One try: begins (or goes on) where control stands, and ends when control has it all.
Status Client::UploadFrom(int fd, const Upload& upload, const Progress& progress) {
  api::ClientMessage begin;
  begin.mutable_blob_begin()->set_sha256(upload.sha256.str());
  begin.mutable_blob_begin()->set_size(upload.size);
  HF_ASSIGN_OR_RETURN(auto state, AskOnce(begin, MonotonicNow() + options_.timeout));
  if (state.has_error()) return FromApi(state.error());
  std::uint64_t next = state.blob_state().have_bytes();
  int open_parts = 0;
  while (!state.blob_state().complete()) {
    while (open_parts < kMaxOpenParts && next < upload.size) {
      HF_ASSIGN_OR_RETURN(
          std::string data,
          ReadAt(fd, next, std::min<std::uint64_t>(kPartBytes, upload.size - next)));
      if (data.empty()) return Error{Code::kInvalid, "the file became shorter while it was sent"};
      api::ClientMessage part;
      part.mutable_blob_part()->set_sha256(upload.sha256.str());
      part.mutable_blob_part()->set_offset(next);
      next += data.size();
      part.mutable_blob_part()->set_data(std::move(data));
      HF_TRY(connection_->Send(std::move(part)));
      ++open_parts;
    }
    if (open_parts == 0) {
      return Error{Code::kCorrupt, "the backend has the whole file and does not say so"};
    }
    HF_ASSIGN_OR_RETURN(auto reply, connection_->Receive(MonotonicNow() + options_.timeout));
    if (!reply) return Error{Code::kUnavailable, "the backend does not answer"};
    if (reply->has_error()) return FromApi(reply->error());
    if (!reply->has_blob_state()) continue;  // of a request given up before
    --open_parts;
    state = std::move(*reply);
    if (progress) progress(state.blob_state().have_bytes(), upload.size);
  }
  return Ok();
}

}  // namespace holdfast::sdk
