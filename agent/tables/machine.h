// Machine: the endpoint as the tables see it: files, links, directories. A port.
//
// agent/adapters/procfs implements it on the real system, under a root that tests point at a tree
// of their own. Paths are absolute and mean "below the root".
//
// Limits:    ReadFile(), ReadRegular() and AskSocket() stop at max_bytes; List() gives at most kMaxListEntries
//            names, DumpNetwork() at most kMaxNetworkDumpBytes, LoadedBpfPrograms() at most kMaxBpfPrograms.
// Threading: thread-compatible.
// Errors:    kNotFound: it is not there, or no longer. kDenied: may not. kInvalid: not that kind of
//            thing. kCancelled: the time for all questions is over. kInternal: any other errno. Callers skip or leave NULL.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxListEntries = std::size_t{1} << 20;  // names of one directory
// Some 300,000 routes; more are left out.
inline constexpr std::size_t kMaxNetworkDumpBytes = std::size_t{32} << 20;
inline constexpr std::size_t kMaxBpfPrograms = 65'536;  // busy machines have some hundreds
inline constexpr std::size_t kMaxRuleBytes =
    std::size_t{16} << 20;  // of YARA rules; the largest public sets have 10 MB
// Of one file or process: wall time, 30 s of a core at the usual pace, and matches.
inline constexpr std::chrono::milliseconds kMaxScanTime{300'000};
inline constexpr std::size_t kMaxScanMatches = 1000;
inline constexpr std::uint64_t kMaxScanFileBytes = std::uint64_t{64} << 20;
inline constexpr std::chrono::milliseconds kMaxDescribeTime{10'000};

// What stat knows. Times are Unix ns.
struct FileStat {
  std::uint64_t size = 0;  // bytes
  std::uint32_t mode = 0;  // st_mode
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;   // of the file system
  std::uint64_t rdevice = 0;  // that a device node names
  std::uint64_t hard_links = 0;
  std::uint64_t blocks = 0;  // of 512 bytes
  std::uint32_t block_size = 0;
  std::int64_t atime_ns = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::int64_t btime_ns = 0;  // 0 where the file system does not know
  bool is_mount_root =
      false;  // something is mounted here, also of the same device (since Linux 5.8)
  bool says_mount_roots = false;  // the kernel knows; if not, the mounts of descriptors differ
};

// S_IF*, and the names that tables and verbs give them.
inline constexpr std::uint32_t kTypeMask = 0170000;
inline constexpr std::uint32_t kTypeRegular = 0100000;
inline constexpr std::uint32_t kTypeDirectory = 0040000;
inline constexpr std::uint32_t kTypeSymlink = 0120000;
std::string_view TypeName(std::uint32_t mode);  // "regular", "directory", "symlink", ...
std::string OctalMode(std::uint32_t mode);      // "0755"

// Unix ns to s, towards the past, as stat counts.
constexpr std::int64_t Seconds(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return ns >= 0 ? ns / kSecond : -((-ns + kSecond - 1) / kSecond);
}

struct Attribute {
  std::string name;
  std::string value;
};

struct FileHashes {  // lower-case hex
  std::uint64_t size = 0;
  std::string md5;
  std::string sha1;
  std::string sha256;
};

// What statvfs knows. Blocks are of `block_size` bytes.
struct FileSystemStat {
  std::uint64_t block_size = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_free = 0;
  std::uint64_t blocks_available = 0;  // without what is kept for root
  std::uint64_t inodes = 0;
  std::uint64_t inodes_free = 0;
};

struct SystemFacts {
  std::string hostname;
  std::string machine;  // uname -m
  std::int64_t ticks_per_second = 100;
  std::int64_t pid = 0;        // of the process that answers
  std::int64_t unix_time = 0;  // s
  std::string time_zone;       // abbreviation of the local one now: "CET"
  std::string agent_state;     // directory of the agent that answers; empty: none
};

// A program that the kernel has loaded (bpf(2)).
struct BpfProgram {
  std::uint32_t id = 0;
  std::uint32_t type = 0;      // BPF_PROG_TYPE_*
  std::string name;            // at most 15 bytes, chosen by who loaded it
  std::string tag;             // hash of its instructions, 16 hex digits
  std::uint32_t uid = 0;       // who loaded it
  std::int64_t loaded_ns = 0;  // since boot
  std::uint32_t translated_bytes = 0;
  std::uint32_t machine_code_bytes = 0;  // 0: it is interpreted
  std::uint32_t maps = 0;                // that it uses
  bool gpl = false;                      // says that its licence is compatible with the GPL
};

// What rtnetlink can list.
enum class NetworkDump : std::uint8_t { kLinks, kAddresses, kRoutes };

// A match of a string of a YARA rule; of a rule that matched without one, `string` is empty. Rules in their order.
struct RuleMatch {
  std::string rule;
  std::string tags;  // with blanks between
  std::string string;
  std::int64_t offset = 0;  // in the file; in a process: its address
};

// What to look through by rules: a file or, without a path, the memory of a process.
struct ScanTask {
  std::string_view rules;
  std::string path;
  std::int64_t pid = 0;
  std::chrono::milliseconds time = kMaxScanTime;
};

// What libmagic calls a file.
struct FileKind {
  std::string description;
  std::string mime_type;
  std::string mime_encoding;
};

enum class Links : std::uint8_t { kFollow, kKeep };

// A regular file that is read in pieces: for what is too large to be held, also while somebody writes it.
class PieceReader {
 public:
  virtual ~PieceReader() = default;
  // Fills `out` from `offset` on and says how many bytes there were: fewer at the end, 0 when it cannot be read.
  virtual std::size_t ReadAt(std::uint64_t offset, std::span<char> out) = 0;
};

// Whoever waits for something long: asked between its pieces.
class Patience {
 public:
  virtual ~Patience() = default;
  virtual bool IsOver() const = 0;
};

class Machine {
 public:
  virtual ~Machine() = default;
  virtual Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) = 0;
  // The same for a path that users of the machine can make something else of: kInvalid, and nothing is
  // opened, unless it is a regular file. Access times stay as they are where the kernel allows it.
  virtual Result<std::string> ReadRegular(const std::string& path, std::size_t max_bytes) = 0;
  // The same, to be read in pieces.
  virtual Result<std::unique_ptr<PieceReader>> OpenRegular(const std::string& path) = 0;
  virtual Result<std::string> ReadLink(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;  // no "." and ".."
  virtual Result<FileStat> Stat(const std::string& path, Links links) = 0;
  // Extended attributes of what the path names, links followed: names and values.
  virtual Result<std::vector<Attribute>> Attributes(const std::string& path) = 0;
  // kInvalid: not a regular file; kCancelled: nobody waits any longer. Without `patience` to the end.
  virtual Result<FileHashes> Hash(const std::string& path, const Patience* patience) = 0;
  virtual Result<FileSystemStat> StatFileSystem(const std::string& path) = 0;
  // rtnetlink(7) messages, as the kernel gives them. kNotFound: no kernel is below the root.
  virtual Result<std::string> DumpNetwork(NetworkDump what) = 0;
  // A table of the old packet filter: struct ipt_getinfo and what follows of ipt_get_entries, as the kernel
  // gives them. kNotFound: there is no such table now; nothing is loaded for it.
  virtual Result<std::string> DumpIptables(const std::string& table) = 0;
  // What whoever listens at the socket answers to `request` until it closes.
  virtual Result<std::string> AskSocket(const std::string& path, std::string_view request,
                                        std::size_t max_bytes) = 0;
  virtual Result<std::vector<BpfProgram>> LoadedBpfPrograms() = 0;
  // Whether a signal would find a process or thread of this number; /proc is not asked.
  virtual bool Answers(std::int64_t pid) = 0;
  virtual SystemFacts Facts() = 0;
  // A file of YARA rules.
  virtual Result<std::string> ReadRules(const std::string& path) {
    return ReadRegular(path, kMaxRuleBytes);
  }
  // Whether Scan() or, without rules, Describe() can work. kUnsupported: the module is not there, the message names
  // it. kInvalid: the rules, and why.
  virtual Status CheckScanner(std::string_view /*rules*/) { return NoScanner(); }
  // kNotFound: gone, or a process without memory of its own; kInternal: not looked through, and why.
  virtual Result<std::vector<RuleMatch>> Scan(const ScanTask& /*task*/) { return NoScanner(); }
  // Of a regular file.
  virtual Result<FileKind> Describe(const std::string& /*path*/,
                                    std::chrono::milliseconds /*time*/) {
    return NoScanner();
  }
  // A sentence for whoever asked: why there is less than the table promises. It ends nothing.
  virtual void Note(std::string_view /*text*/) {}

 private:
  static Error NoScanner() { return {Code::kUnsupported, "nothing here looks into files"}; }
};

// "" when it cannot be read.
std::string ReadOr(Machine& machine, const std::string& path,
                   std::size_t max_bytes = std::size_t{64} * 1024);
// The same without blanks at both ends: for files of one value, as those of /sys.
std::string ReadValue(Machine& machine, const std::string& path);

}  // namespace holdfast::agent
