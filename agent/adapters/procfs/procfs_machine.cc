#include "agent/adapters/procfs/procfs_machine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/adapters/procfs/hash_file.h"
#include "agent/adapters/procfs/kernel_tables.h"
#include "agent/adapters/procfs/network_dump.h"
#include "agent/adapters/procfs/open_file.h"
#include "agent/adapters/procfs/socket_question.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxLinkBytes = 4096;            // PATH_MAX
constexpr std::size_t kMaxAttributeBytes = 64 * 1024;  // XATTR_SIZE_MAX, XATTR_LIST_MAX

Error FromErrno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENOPROTOOPT:  // of a packet filter that is not loaded
    case ECONNREFUSED:
    case ESRCH: return {Code::kNotFound, "it is not there"};
    case EACCES:
    case EPERM: return {Code::kDenied, "may not"};
    case ENXIO:
    case EINVAL:
    case EISDIR: return {Code::kInvalid, "it is something else"};
    case ECANCELED: return {Code::kCancelled, "the time is over"};
    default: return {Code::kInternal, "errno " + std::to_string(error)};
  }
}

Result<std::string> ReadUpTo(int fd, std::size_t max_bytes) {
  std::string text;
  std::array<char, 8192> piece = {};
  while (text.size() < max_bytes) {
    const ssize_t got = read(fd, piece.data(), std::min(piece.size(), max_bytes - text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno);
    if (got == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

class OpenPieces : public PieceReader {
 public:
  explicit OpenPieces(UniqueFd fd) : fd_(std::move(fd)) {}
  std::size_t ReadAt(std::uint64_t offset, std::span<char> out) override {
    std::size_t filled = 0;
    while (filled < out.size() && offset + filled <= INT64_MAX) {
      const auto at = static_cast<off_t>(offset + filled);
      const ssize_t got = pread(fd_.get(), out.data() + filled, out.size() - filled, at);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  UniqueFd fd_;
};

}  // namespace

// Opened directly, without the detour of OpenRegular(): tables only read paths that they name
// themselves, mostly of /proc, and there are thousands of them. O_NONBLOCK: no FIFO holds us up.
Result<std::string> ProcfsMachine::ReadFile(const std::string& path, std::size_t max_bytes) {
  const UniqueFd fd(open((root_ + path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return FromErrno(errno);
  return ReadUpTo(fd.get(), max_bytes);
}

Result<std::string> ProcfsMachine::ReadRegular(const std::string& path, std::size_t max_bytes) {
  const OpenedFile file = agent::OpenRegular(root_ + path);
  if (file.error != 0) return FromErrno(file.error);
  return ReadUpTo(file.fd.get(), max_bytes);
}

Result<std::unique_ptr<PieceReader>> ProcfsMachine::OpenRegular(const std::string& path) {
  OpenedFile file = agent::OpenRegular(root_ + path);
  if (file.error != 0) return FromErrno(file.error);
  return std::unique_ptr<PieceReader>(std::make_unique<OpenPieces>(std::move(file.fd)));
}

Result<std::string> ProcfsMachine::ReadLink(const std::string& path) {
  std::array<char, kMaxLinkBytes> target = {};
  const ssize_t size = readlink((root_ + path).c_str(), target.data(), target.size());
  if (size < 0) return FromErrno(errno);
  return std::string(target.data(), static_cast<std::size_t>(size));
}

Result<std::vector<std::string>> ProcfsMachine::List(const std::string& path) {
  struct Close {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  const int fd = open((root_ + path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return FromErrno(errno);
  const std::unique_ptr<DIR, Close> dir(fdopendir(fd));
  if (dir == nullptr) {
    close(fd);
    return Error{Code::kInternal, "no memory for a directory"};
  }
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    names.emplace_back(name);
    if (names.size() == kMaxListEntries) break;
  }
  return names;
}

Result<FileStat> ProcfsMachine::Stat(const std::string& path, Links links) {
  FileStat stat;
  const int flags = links == Links::kKeep ? AT_SYMLINK_NOFOLLOW : 0;
  if (const int error = StatAt(AT_FDCWD, (root_ + path).c_str(), flags, stat); error != 0) {
    return FromErrno(error);
  }
  return stat;
}

Result<std::vector<Attribute>> ProcfsMachine::Attributes(const std::string& path) {
  const std::string whole = root_ + path;
  std::string names(kMaxAttributeBytes, '\0');
  const ssize_t size = listxattr(whole.c_str(), names.data(), names.size());
  if (size < 0) return FromErrno(errno);
  names.resize(static_cast<std::size_t>(size));
  std::vector<Attribute> attributes;
  std::string value(kMaxAttributeBytes, '\0');
  for (std::size_t at = 0; at < names.size();) {
    const std::string name(names.c_str() + at);
    at += name.size() + 1;
    const ssize_t got = getxattr(whole.c_str(), name.c_str(), value.data(), value.size());
    if (got >= 0) attributes.push_back({name, value.substr(0, static_cast<std::size_t>(got))});
  }
  return attributes;
}

Result<FileHashes> ProcfsMachine::Hash(const std::string& path, const Patience* patience) {
  const OpenedFile file = agent::OpenRegular(root_ + path);
  if (file.error != 0) return FromErrno(file.error);
  FileHashes hashes;
  if (const int error = HashFd(file.fd.get(), hashes, patience); error != 0)
    return FromErrno(error);
  return hashes;
}

Result<FileSystemStat> ProcfsMachine::StatFileSystem(const std::string& path) {
  struct statvfs at = {};
  if (statvfs((root_ + path).c_str(), &at) != 0) return FromErrno(errno);
  return FileSystemStat{.block_size = at.f_frsize,
                        .blocks = at.f_blocks,
                        .blocks_free = at.f_bfree,
                        .blocks_available = at.f_bavail,
                        .inodes = at.f_files,
                        .inodes_free = at.f_ffree};
}

Result<std::string> ProcfsMachine::DumpNetwork(NetworkDump what) {
  if (!root_.empty()) return Error{Code::kNotFound, "a tree of files has no network"};
  std::string messages;
  if (const int error = ReadNetworkDump(what, messages); error != 0) return FromErrno(error);
  return messages;
}

Result<std::string> ProcfsMachine::DumpIptables(const std::string& table) {
  if (!root_.empty()) return Error{Code::kNotFound, "a tree of files has no packet filter"};
  std::string bytes;
  int error = ReadIptables(table, bytes);
  if (error == EAGAIN) error = ReadIptables(table, bytes);
  if (error != 0) return FromErrno(error);
  return bytes;
}

Result<std::string> ProcfsMachine::AskSocket(const std::string& path, std::string_view request,
                                             std::size_t max_bytes) {
  std::string answer;
  const int error = AskUnixSocket(root_ + path, request, max_bytes, answer);
  if (error != 0) return FromErrno(error);
  return answer;
}

Result<std::vector<BpfProgram>> ProcfsMachine::LoadedBpfPrograms() {
  if (!root_.empty()) return Error{Code::kNotFound, "a tree of files has no programs"};
  std::vector<BpfProgram> programs;
  if (const int error = ReadBpfPrograms(programs); error != 0) return FromErrno(error);
  return programs;
}

bool ProcfsMachine::Answers(std::int64_t pid) {
  if (!root_.empty() || pid <= 0 || pid > INT32_MAX) return false;
  return kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM;
}

SystemFacts ProcfsMachine::Facts() {
  SystemFacts facts;
  utsname names = {};
  if (uname(&names) == 0) {
    facts.hostname = names.nodename;
    facts.machine = names.machine;
  }
  if (const long ticks = sysconf(_SC_CLK_TCK); ticks > 0) facts.ticks_per_second = ticks;
  facts.pid = getpid();
  facts.agent_state = agent_state_;
  const std::time_t now = std::time(nullptr);
  facts.unix_time = now;
  tm local = {};
  if (localtime_r(&now, &local) != nullptr && local.tm_zone != nullptr) {
    facts.time_zone = local.tm_zone;
  }
  return facts;
}

}  // namespace holdfast::agent
