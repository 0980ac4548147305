#include "backend/supervisor/backup_archive.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {

constexpr std::size_t kArchivePieceBytes = std::size_t{256} * 1024;

Error ArchiveFailed(std::string_view doing) {
  return {Code::kUnavailable, std::string(doing) + ": " + std::generic_category().message(errno)};
}

Error Stopped() { return {Code::kCancelled, "interrupted"}; }

}  // namespace

// --- writing --------------------------------------------------------------------------------------

ArchiveWriter::ArchiveWriter(int fd, const sign::Crypto& crypto, const StopRequest& stop,
                             std::uint64_t now_s, OnProgress on_progress)
    : fd_(fd), crypto_(crypto), stop_(stop), now_s_(now_s), on_progress_(std::move(on_progress)) {}

Status ArchiveWriter::Begin(const BackupMember& member) {
  HF_ASSIGN_OR_RETURN(const std::string header, TarHeader(member, now_s_));
  return Write(header);
}

Status ArchiveWriter::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (stop_.came()) return Stopped();
    const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return ArchiveFailed("writing the backup");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return Ok();
}

Status ArchiveWriter::AddBytes(const std::string& name, std::string_view bytes) {
  HF_TRY(Begin({name, bytes.size()}));
  HF_TRY(Write(bytes));
  members_[name] = {bytes.size(), crypto_.Sha256(bytes)};
  return Write(std::string(TarPadding(bytes.size()), '\0'));
}

// At least one byte; or why there is none.
std::string ArchiveWriter::ReadSome(int from, std::string& piece, std::size_t want,
                                    std::size_t& got) const {
  for (;;) {
    const ssize_t read = ::read(from, piece.data(), want);
    if (read < 0 && errno == EINTR && !stop_.came()) continue;
    got = read > 0 ? static_cast<std::size_t>(read) : 0;
    if (read > 0) return {};
    return read < 0 ? std::generic_category().message(errno) : "shorter than it should be";
  }
}

Result<ArchiveWriter::Added> ArchiveWriter::AddFile(const std::string& name, int from,
                                                    std::uint64_t size) {
  HF_TRY(Begin({name, size}));
  Added added;
  const auto hasher = crypto_.NewSha256();
  std::string piece(kArchivePieceBytes, '\0');
  for (std::uint64_t left = size; left > 0;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    std::size_t got = want;
    if (added.fault.empty()) {
      added.fault = ReadSome(from, piece, want, got);
      if (stop_.came()) return Stopped();
      if (!added.fault.empty()) {  // its size was announced
        piece.assign(piece.size(), '\0');
        continue;
      }
    }
    const std::string_view bytes(piece.data(), got);
    hasher->Update(bytes);
    HF_TRY(Write(bytes));
    left -= bytes.size();
    passed_ += bytes.size();
    if (on_progress_) on_progress_(passed_);
  }
  // Read once: it must not push out of memory what the backend works with.
  (void)::posix_fadvise(from, 0, 0, POSIX_FADV_DONTNEED);
  added.sha256 = hasher->Finish();
  members_[name] = {size, added.sha256};
  HF_TRY(Write(std::string(TarPadding(size), '\0')));
  return added;
}

Status ArchiveWriter::Finish() {
  std::string text = FormatManifest(members_);
  text += ManifestSeal(crypto_.Sha256(text));
  HF_TRY(Begin({std::string(kManifestMember), text.size()}));
  HF_TRY(Write(text));
  return Write(std::string(TarPadding(text.size()) + 2 * kTarBlockBytes, '\0'));
}

// --- reading --------------------------------------------------------------------------------------

ArchiveReader::ArchiveReader(int fd, const sign::Crypto& crypto, const StopRequest& stop,
                             OnProgress on_progress)
    : fd_(fd), crypto_(crypto), stop_(stop), on_progress_(std::move(on_progress)) {}

Status ArchiveReader::Read(char* to, std::size_t size) {
  while (size > 0) {
    if (stop_.came()) return Stopped();
    const ssize_t got = ::read(fd_, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ArchiveFailed("reading the backup");
    if (got == 0) return Error{Code::kCorrupt, "the backup ends too early: it is not whole"};
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return Ok();
}

Result<BackupMember> ArchiveReader::Next() {
  std::string block(kTarBlockBytes, '\0');
  HF_TRY(Read(block.data(), block.size()));
  HF_ASSIGN_OR_RETURN(std::optional<BackupMember> member, ParseTarHeader(block));
  if (!member)
    return Error{Code::kCorrupt, "the backup ends without its manifest: it is not whole"};
  if (found_.contains(member->name)) {
    return Error{Code::kCorrupt, member->name + " is in the backup twice"};
  }
  if (found_.size() >= kMaxMembers) return Error{Code::kCorrupt, "the backup has too many members"};
  member_ = *std::move(member);
  return member_;
}

Status ArchiveReader::CopyTo(const std::function<Status(std::string_view)>& take) {
  const auto hasher = crypto_.NewSha256();
  std::string piece(kArchivePieceBytes, '\0');
  for (std::uint64_t left = member_.size; left > 0;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    HF_TRY(Read(piece.data(), size));
    const std::string_view bytes(piece.data(), size);
    hasher->Update(bytes);
    HF_TRY(take(bytes));
    left -= size;
    passed_ += size;
    if (on_progress_) on_progress_(passed_);
  }
  HF_TRY(Read(piece.data(), TarPadding(member_.size)));
  found_[member_.name] = {member_.size, hasher->Finish()};
  return Ok();
}

Result<std::string> ArchiveReader::Text(std::uint64_t max_bytes) {
  if (member_.size > max_bytes) {
    return Error{Code::kCorrupt, member_.name + " is larger than it can be"};
  }
  std::string text;
  HF_TRY(CopyTo([&text](std::string_view bytes) {
    text += bytes;
    return Ok();
  }));
  return text;
}

Status ArchiveReader::CheckManifest() {
  HF_ASSIGN_OR_RETURN(const std::string text, Text(kMaxManifestBytes));
  found_.erase(std::string(kManifestMember));  // it does not name itself
  HF_ASSIGN_OR_RETURN(const SealedManifest manifest, ParseManifest(text));
  if (crypto_.Sha256(manifest.sealed) != manifest.seal) {
    return Error{Code::kCorrupt, "the manifest is damaged"};
  }
  const std::string wrong = Difference(manifest.members, found_);
  if (!wrong.empty()) return Error{Code::kCorrupt, wrong};
  return Ok();
}

}  // namespace holdfast::backend
