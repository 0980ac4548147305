#include "agent/adapters/linux/segment_spool.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/adapters/linux/directory.h"
#include "agent/adapters/linux/os_error.h"
#include "agent/adapters/linux/spool_record.h"
#include "agent/core/limits.h"
#include "common/base/crc32c.h"
#include "common/link/limits.h"

namespace holdfast::agent {
namespace {

// Between two looks at the disk's free space while output flows: four full chunks.
constexpr std::uint64_t kLookEvery = 4 * link::kMaxChunkBytes;
// Every running worker may have one more chunk under way.
constexpr std::uint64_t kUnderWay = kMaxRunningWorkers * (link::kMaxChunkBytes + 4096);

struct FileName {
  StreamKey key;
  std::uint64_t first = 0;
};

// "<64 hex>-<attempt>-<first>.seg"
std::optional<FileName> ParseName(std::string_view name) {
  constexpr std::size_t kHex = 2 * Digest::kSize;
  if (!name.ends_with(".seg") || name.size() < kHex + 8 || name[kHex] != '-') return std::nullopt;
  const auto bytes = FromHex(name.substr(0, kHex));
  if (!bytes.ok()) return std::nullopt;
  FileName out;
  out.key.digest = *Digest::From(bytes.value());
  const char* end = name.data() + name.size() - 4;
  const auto attempt = std::from_chars(name.data() + kHex + 1, end, out.key.attempt);
  if (attempt.ec != std::errc() || attempt.ptr == end || *attempt.ptr != '-') return std::nullopt;
  const auto first = std::from_chars(attempt.ptr + 1, end, out.first);
  if (first.ec != std::errc() || first.ptr != end) return std::nullopt;
  return out;
}

}  // namespace

DiskSpace SpaceOf(int fd) {
  struct statvfs facts {};
  if (::fstatvfs(fd, &facts) != 0) return {UINT64_MAX, UINT64_MAX};
  return {std::uint64_t{facts.f_blocks} * facts.f_frsize,
          std::uint64_t{facts.f_bavail} * facts.f_frsize};
}

Result<std::unique_ptr<SegmentSpool>> SegmentSpool::Open(std::string dir, Options options) {
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return OsError("creating " + dir, errno);
  std::unique_ptr<SegmentSpool> spool(new SegmentSpool(std::move(dir), options));
  spool->dir_fd_.Reset(::open(spool->dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!spool->dir_fd_.is_open()) return OsError("opening " + spool->dir_, errno);
  HF_TRY(spool->Scan());
  return spool;
}

// --- what is there -------------------------------------------------------------------------------

Status SegmentSpool::Scan() {
  HF_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListNames(dir_));
  for (const std::string& entry : names) {
    const std::string path = dir_ + "/" + entry;
    const auto name = ParseName(entry);
    if (!name) {
      ::unlink(path.c_str());  // blobs are fetched again; nothing else belongs here
      continue;
    }
    auto segment = Load(path, name->first);
    if (!segment.ok()) return std::move(segment).error();
    bytes_ += segment.value().bytes;
    streams_[name->key].push_back(std::move(segment).value());
  }
  DropBehindGaps();
  return Ok();
}

// Reads the headers; cuts the file behind the last record that is whole.
Result<SegmentSpool::Segment> SegmentSpool::Load(const std::string& path, std::uint64_t first) {
  Segment segment;
  segment.first = first;
  segment.fd.Reset(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat facts {};
  if (!segment.fd.is_open() || ::fstat(segment.fd.get(), &facts) != 0) {
    return OsError("opening " + path, errno);
  }
  const auto file_bytes = static_cast<std::uint64_t>(facts.st_size);
  std::uint64_t at = 0;
  std::optional<SpoolRecord> last;
  for (;;) {
    std::array<char, SpoolRecord::kBytes> header{};
    const auto got =
        ::pread(segment.fd.get(), header.data(), header.size(), static_cast<off_t>(at));
    if (got != static_cast<ssize_t>(header.size())) break;
    const auto record = DecodeSpoolRecord({header.data(), header.size()});
    if (!record || record->number != segment.end() || record->length > link::kMaxChunkBytes ||
        at + header.size() + record->length > file_bytes) {
      break;
    }
    segment.records.push_back({static_cast<std::uint32_t>(at + header.size()), record->length});
    at += header.size() + record->length;
    last = record;
  }
  // A header may have reached the disk before its data: only the last record can be such a one.
  if (last) {
    const Record& record = segment.records.back();
    std::string data(record.size, '\0');
    const auto got = ::pread(segment.fd.get(), data.data(), data.size(), record.at);
    if (got != static_cast<ssize_t>(data.size()) || Crc32c(data) != last->crc32c) {
      at = record.at - SpoolRecord::kBytes;
      segment.records.pop_back();
    }
  }
  if (at < file_bytes) {
    dropped_bytes_ += file_bytes - at;
    if (::ftruncate(segment.fd.get(), static_cast<off_t>(at)) != 0) {
      return OsError("cutting " + path, errno);
    }
  }
  segment.bytes = at;
  return segment;
}

void SegmentSpool::DropBehindGaps() {
  for (auto& [key, stream] : streams_) {
    std::sort(stream.begin(), stream.end(),
              [](const Segment& a, const Segment& b) { return a.first < b.first; });
    for (std::size_t i = 1; i < stream.size(); ++i) {
      if (stream[i].first == stream[i - 1].end()) continue;
      for (std::size_t j = i; j < stream.size(); ++j) {
        dropped_bytes_ += stream[j].bytes;
        Delete(key, stream[j]);
      }
      stream.resize(i);
    }
  }
}

std::vector<SpooledStream> SegmentSpool::Streams() const {
  std::vector<SpooledStream> out;
  for (const auto& [key, stream] : streams_) {
    SpooledStream found;
    found.key = key;
    found.first = stream.front().first;
    found.end = stream.back().end();
    for (const Segment& segment : stream) {
      for (const Record& record : segment.records) found.sizes.push_back(record.size);
    }
    out.push_back(std::move(found));
  }
  return out;
}

// --- writing and reading -------------------------------------------------------------------------

std::string SegmentSpool::PathOf(const StreamKey& key, std::uint64_t first) const {
  return dir_ + "/" + key.digest.hex() + "-" + std::to_string(key.attempt) + "-" +
         std::to_string(first) + ".seg";
}

// The segment that takes chunk `number`: the newest one, or a new one when that is full.
Result<SegmentSpool::Segment*> SegmentSpool::Tail(const StreamKey& key, std::uint64_t number) {
  Stream& stream = streams_[key];
  if (!stream.empty() && !stream.back().IsFull(options_.segment_bytes)) return &stream.back();
  Segment segment;
  segment.first = number;
  const std::string path = PathOf(key, number);
  segment.fd.Reset(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!segment.fd.is_open()) {
    const int number_of_error = errno;
    if (stream.empty()) streams_.erase(key);
    return OsError("creating " + path, number_of_error);
  }
  is_dir_synced_ = false;
  stream.push_back(std::move(segment));
  return &stream.back();
}

Status SegmentSpool::Append(const StreamKey& key, std::uint64_t number, const SpoolChunk& chunk,
                            std::string_view data) {
  const std::uint64_t added = SpoolRecord::kBytes + data.size();
  if (bytes_ + added > options_.max_bytes) return Error{Code::kExhausted, "the spool is full"};
  HF_ASSIGN_OR_RETURN(Segment* const segment, Tail(key, number));
  HF_CHECK(segment->end() == number);
  auto header = EncodeSpoolRecord(
      {static_cast<std::uint32_t>(data.size()), number, chunk.offset, chunk.crc32c});
  std::array<iovec, 2> parts{};
  parts[0] = {header.data(), header.size()};
  parts[1] = {const_cast<char*>(data.data()), data.size()};  // pwritev() only reads it
  const auto written =
      ::pwritev(segment->fd.get(), parts.data(), 2, static_cast<off_t>(segment->bytes));
  if (written != static_cast<ssize_t>(added)) {
    const int number_of_error = written < 0 ? errno : ENOSPC;
    if (::ftruncate(segment->fd.get(), static_cast<off_t>(segment->bytes)) != 0) {
      return OsError("cutting a spool file", errno);
    }
    return OsError("writing to the spool", number_of_error);
  }
  segment->records.push_back({static_cast<std::uint32_t>(segment->bytes + SpoolRecord::kBytes),
                              static_cast<std::uint32_t>(data.size())});
  segment->bytes += added;
  segment->is_synced = false;
  bytes_ += added;
  appended_ += added;
  return Ok();
}

Result<SpoolChunk> SegmentSpool::Read(const StreamKey& key, std::uint64_t number,
                                      std::string& data) {
  const auto found = streams_.find(key);
  if (found == streams_.end()) return Error{Code::kNotFound, "no such stream in the spool"};
  for (const Segment& segment : found->second) {
    if (number >= segment.first && number < segment.end()) return ReadRecord(segment, number, data);
  }
  return Error{Code::kNotFound, "no such chunk in the spool"};
}

Result<SpoolChunk> SegmentSpool::ReadRecord(const Segment& segment, std::uint64_t number,
                                            std::string& data) {
  const Record& record = segment.records[number - segment.first];
  data.resize(record.size);
  std::array<char, SpoolRecord::kBytes> bytes{};
  std::array<iovec, 2> parts{};
  parts[0] = {bytes.data(), bytes.size()};
  parts[1] = {data.data(), data.size()};
  const auto got = ::preadv(segment.fd.get(), parts.data(), 2,
                            static_cast<off_t>(record.at - SpoolRecord::kBytes));
  const auto header = DecodeSpoolRecord({bytes.data(), bytes.size()});
  if (got != static_cast<ssize_t>(bytes.size() + data.size()) || !header ||
      header->number != number || header->length != record.size || Crc32c(data) != header->crc32c) {
    return Error{Code::kCorrupt, "a record of the spool is damaged"};
  }
  return SpoolChunk{header->offset, header->crc32c};
}

// --- on stable storage ---------------------------------------------------------------------------

Status SegmentSpool::Sync(const StreamKey& key) {
  const auto found = streams_.find(key);
  if (found == streams_.end()) return Ok();
  for (Segment& segment : found->second) {
    if (segment.is_synced) continue;
    if (!segment.is_doubtful && options_.sync_file(segment.fd.get()) == 0) {
      segment.is_synced = true;
      continue;
    }
    segment.is_doubtful = true;
    HF_TRY(Rewrite(key, segment));
  }
  return SyncDir();
}

// After a failed sync the kernel takes the pages for clean (fsync(2): EIO is reported once), and another
// one would succeed without having written them. What can still be read is written to a new file.
Status SegmentSpool::Rewrite(const StreamKey& key, Segment& segment) {
  const std::string path = PathOf(key, segment.first);
  const std::string temporary = path + ".new";  // Scan() removes one that is left
  UniqueFd fd(::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.is_open()) return OsError("creating " + temporary, errno);
  Status written = CopyTo(fd.get(), segment);
  if (written.ok() && options_.sync_file(fd.get()) != 0) {
    written = OsError("syncing the spool", errno);
  }
  if (written.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = OsError("renaming " + temporary, errno);
  }
  if (!written.ok()) {
    ::unlink(temporary.c_str());
    return written;
  }
  segment.fd = std::move(fd);
  segment.is_synced = true;
  segment.is_doubtful = false;
  segment.is_named = false;
  is_dir_synced_ = false;
  return Ok();
}

Status SegmentSpool::CopyTo(int fd, const Segment& segment) {
  std::string data;
  for (std::uint64_t number = segment.first; number < segment.end(); ++number) {
    HF_ASSIGN_OR_RETURN(const SpoolChunk chunk, ReadRecord(segment, number, data));
    const Record& record = segment.records[number - segment.first];
    const auto header = EncodeSpoolRecord({record.size, number, chunk.offset, chunk.crc32c});
    data.insert(0, header.data(), header.size());
    const auto written =
        ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(record.at - SpoolRecord::kBytes));
    if (written != static_cast<ssize_t>(data.size())) {
      return OsError("copying a spool file", written < 0 ? errno : ENOSPC);
    }
  }
  return Ok();
}

// A directory that could not be synced is opened anew, and the files whose names may be missing in it
// are given new ones.
Status SegmentSpool::SyncDir() {
  if (is_dir_synced_) return Ok();
  is_dir_synced_ = options_.sync_dir(dir_fd_.get()) == 0;
  const int number_of_error = errno;
  for (auto& [key, stream] : streams_) {
    for (Segment& segment : stream) {
      if (is_dir_synced_) {
        segment.is_named = true;
      } else if (!segment.is_named) {
        segment.is_synced = false;
        segment.is_doubtful = true;
      }
    }
  }
  if (is_dir_synced_) return Ok();
  dir_fd_.Reset(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return OsError("syncing the spool's directory", number_of_error);
}

void SegmentSpool::Delete(const StreamKey& key, const Segment& segment) {
  ::unlink(PathOf(key, segment.first).c_str());
  bytes_ -= std::min(bytes_, segment.bytes);
}

void SegmentSpool::Forget(const StreamKey& key, std::uint64_t number) {
  const auto found = streams_.find(key);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  while (stream.size() > 1 && stream.front().end() <= number) {
    Delete(key, stream.front());
    stream.pop_front();
  }
}

void SegmentSpool::Remove(const StreamKey& key) {
  const auto found = streams_.find(key);
  if (found == streams_.end()) return;
  for (const Segment& segment : found->second) Delete(key, segment);
  streams_.erase(found);
}

Spool::Room SegmentSpool::room() const {
  if (bytes_ + kUnderWay > options_.max_bytes) return Room::kCapReached;
  const DiskSpace space = options_.space(dir_fd_.get());
  return space.free_bytes < SpaceFloor(space.total_bytes) ? Room::kDiskLow : Room::kEnough;
}

bool SegmentSpool::full() const {
  if (bytes_ + kUnderWay > options_.max_bytes) return true;
  if (was_full_ || appended_ - looked_at_ >= kLookEvery) {
    was_full_ = room() != Room::kEnough;
    looked_at_ = appended_;
  }
  return was_full_;
}

// --- blobs ---------------------------------------------------------------------------------------

std::string SegmentSpool::BlobPath(const Digest& command) const {
  return dir_ + "/" + command.hex() + ".blob";
}

Status SegmentSpool::BlobBegin(const Digest& command) {
  UniqueFd fd(::open(BlobPath(command).c_str(),
                     O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.is_open()) return OsError("creating a blob file", errno);
  blobs_.insert_or_assign(command, Blob{std::move(fd), 0});
  return Ok();
}

Status SegmentSpool::BlobAppend(const Digest& command, std::string_view data) {
  const auto found = blobs_.find(command);
  if (found == blobs_.end()) return Error{Code::kNotFound, "no such blob"};
  if (room() == Room::kDiskLow) return Error{Code::kExhausted, "the disk is nearly full"};
  Blob& blob = found->second;
  std::size_t done = 0;
  while (done < data.size()) {
    const auto written = ::pwrite(blob.fd.get(), data.data() + done, data.size() - done,
                                  static_cast<off_t>(blob.bytes + done));
    if (written < 0 && errno == EINTR) continue;
    // The next call writes over what is there of this one.
    if (written <= 0) return OsError("writing a blob", written < 0 ? errno : ENOSPC);
    done += static_cast<std::size_t>(written);
  }
  blob.bytes += data.size();
  return Ok();
}

void SegmentSpool::BlobRemove(const Digest& command) {
  if (blobs_.erase(command) > 0) ::unlink(BlobPath(command).c_str());
}

}  // namespace holdfast::agent
