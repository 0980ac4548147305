#include "backend/supervisor/make_backup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backend/adapters/files/copy_folder.h"
#include "backend/adapters/files/growing_file.h"
#include "backend/adapters/linux/act_as.h"
#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/unique_fd.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "backend/gateway/fleet_identity.h"
#include "backend/supervisor/backup_archive.h"
#include "backend/supervisor/backup_progress.h"
#include "backend/supervisor/give_order.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {
namespace {

namespace fs = std::filesystem;

std::string DirectoryOf(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

// A path to read from, and what it is called in the backup.
struct Source {
  std::string name, path;
  std::uint64_t size = 0;
  std::optional<Digest> content;  // that its name promises
};

// --- the ledger, at one moment ----------------------------------------------------------------------

// Its copy in `folder`, for as long as this lives.
struct Staged {
  std::string folder;
  std::uint64_t at_ms = 0;
  std::optional<OrderLine> line;  // the backend that made it, and removes it when we have gone
  std::unique_ptr<SqliteLedger> ledger;  // or: none runs, and none can start before we have gone
  std::string state_dir;
  Staged() = default;
  Staged(Staged&&) = default;
  Staged& operator=(Staged&&) = delete;
  ~Staged() {
    // Of a backend that runs, too, and it looks after us: to free a large file would be a long turn of its loop.
    if (ledger || (line && line->StillOpen().ok())) RemoveCopyFolder(state_dir);
  }
};

Result<Staged> StageRunning(const Config& config, OrderLine line, const StopRequest& stop) {
  constexpr std::string_view kStaged = "staged ";
  for (;;) {
    HF_ASSIGN_OR_RETURN(const OrderLine::Answer answer, line.Next(&stop));
    if (answer.kind != OrderLine::Answer::Kind::kGoesOn) {
      return Error{Code::kUnavailable, answer.text};
    }
    if (!answer.text.starts_with(kStaged)) continue;
    Staged staged;
    staged.folder = answer.text.substr(kStaged.size());
    staged.state_dir = config.state_dir;
    staged.at_ms = WallNow().get();
    staged.line.emplace(std::move(line));
    return staged;
  }
}

// Opening an older ledger would bring it to our schema, and its own program could not read it any more.
Status CheckSchema(const std::string& ledger) {
  const UniqueFd fd(::open(ledger.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, kSchemaHeaderBytes> first{};
  if (!fd.valid() || ::pread(fd.get(), first.data(), first.size(), 0) < 0) {
    return FileUnavailable(ledger);
  }
  // After an unclean end the schema may stand in the log alone: a young ledger says 0 in its file.
  struct stat log {};
  if (::stat((ledger + "-wal").c_str(), &log) == 0 && log.st_size > 0) return Ok();
  const auto schema = SchemaOf({first.data(), first.size()});
  if (!schema || *schema >= LedgerSchema()) return Ok();
  return Error{Code::kUnsupported, ledger + " is of an older holdfastd (schema " +
                                       std::to_string(*schema) +
                                       "): back it up with that one, or start this one first"};
}

Result<Staged> StageStopped(const Config& config, const StopRequest& stop) {
  HF_TRY(CheckSchema(config.state_dir + "/ledger.db"));
  HF_TRY(CheckRoomForCopy(config.state_dir));
  Staged staged;
  staged.state_dir = config.state_dir;
  staged.folder = CopyFolder(config.state_dir);
  HF_ASSIGN_OR_RETURN(staged.ledger, OpenSqliteStore(config.state_dir + "/ledger.db"));
  HF_TRY(MakeCopyFolder(config.state_dir));
  HF_ASSIGN_OR_RETURN(const auto copy, staged.ledger->Copy(staged.folder + "/ledger.db"));
  for (bool more = true; more;) {
    if (stop.came()) return Error{Code::kCancelled, "interrupted"};
    HF_ASSIGN_OR_RETURN(more, copy->More());
  }
  HF_TRY(HoldIncoming(*staged.ledger, config.state_dir));
  staged.at_ms = WallNow().get();
  return staged;
}

Result<Staged> Stage(const Config& config, const StopRequest& stop) {
  auto line = OrderLine::Give(config, "backup");
  if (line.ok()) return StageRunning(config, std::move(line).value(), stop);
  if (line.error().code != Code::kNotFound) return std::move(line).error();
  return StageStopped(config, stop);
}

// --- what there is ------------------------------------------------------------------------------------

// Below the configuration's folder, or elsewhere.
std::string SmallMemberName(const Config& config, const std::string& path) {
  const std::string folder = DirectoryOf(config.file) + "/";
  return path.starts_with(folder) ? "server/" + path.substr(folder.size()) : "outside" + path;
}

std::vector<Source> SmallFiles(const Config& config) {
  std::error_code error;
  std::vector<std::string> paths = {config.policy_file};
  if (!config.redis_users_file.empty()) paths.push_back(config.redis_users_file);
  // Behind a proxy that ends TLS they are its, and may lie elsewhere: then what is there is taken.
  for (const std::string& path : {config.tls_cert_file, config.tls_key_file}) {
    if (!config.tls_plain || fs::exists(path, error)) paths.push_back(path);
  }
  if (config.tells_ca()) paths.push_back(config.tls_ca_file);
  std::vector<Source> out;
  for (const std::string& path : paths) {
    const auto clean = fs::path(path).lexically_normal().string();
    Source source{SmallMemberName(config, clean), clean, 0, std::nullopt};
    const bool is_new =
        std::ranges::none_of(out, [&](const Source& other) { return other.name == source.name; });
    if (is_new) out.push_back(std::move(source));
  }
  return out;
}

Source SealedSource(const std::string& state_dir, const std::string& area, const Digest& sha256) {
  const std::string below = area + "/" + sha256.hex().substr(0, 2) + "/" + sha256.hex();
  return {"state/" + below, state_dir + "/" + below, 0, sha256};
}

// Uploads are in no ledger: all that are whole.
void AddBlobs(const std::string& state_dir, std::vector<Source>& out) {
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(state_dir + "/blobs", error)) {
    if (folder.path().filename() == "incoming") continue;
    std::error_code inner;
    for (const auto& file : fs::directory_iterator(folder.path(), inner)) {
      const auto bytes = FromHex(file.path().filename().string());
      const auto sha256 = bytes.ok() ? Digest::From(bytes.value()) : std::nullopt;
      if (sha256) out.push_back(SealedSource(state_dir, "blobs", *sha256));
    }
  }
}

Result<std::vector<Source>> LargeFiles(const Config& config, const Staged& staged) {
  const std::string ledger = staged.folder + "/ledger.db";
  HF_ASSIGN_OR_RETURN(const NamedFiles named, ReadNamedFiles(ledger));
  std::vector<Source> out = {{std::string(kLedgerMember), ledger, 0, std::nullopt}};
  for (const NamedFiles::Incoming& file : named.incoming) {
    out.push_back({"state/results/incoming/" + file.name.hex(),
                   staged.folder + "/incoming/" + file.name.hex(), file.stored_bytes,
                   std::nullopt});
  }
  for (const Digest& sha256 : named.sealed) {
    out.push_back(SealedSource(config.state_dir, "results", sha256));
  }
  AddBlobs(config.state_dir, out);
  return out;
}

// --- the archive --------------------------------------------------------------------------------------

// FILE, which appears when it is whole; standard output; and nothing if it fails.
class Target {
 public:
  static Result<Target> Open(const std::string& file) {
    Target target(file);
    if (file == "-") {
      target.fd_.Reset(::dup(STDOUT_FILENO));
      if (!target.fd_.valid()) return FileUnavailable("standard output");
      return target;
    }
    if (::access(file.c_str(), F_OK) == 0) return Error{Code::kExists, file + " is there already"};
    target.part_ = file + ".part-XXXXXX";
    target.fd_.Reset(::mkostemp(target.part_.data(), O_CLOEXEC));  // 0600
    if (target.fd_.valid()) return target;
    target.part_.clear();
    return FileUnavailable(file);
  }
  Target(Target&& other) noexcept
      : file_(std::move(other.file_)),
        part_(std::exchange(other.part_, {})),
        fd_(std::move(other.fd_)) {}
  Target& operator=(Target&&) = delete;
  ~Target() {
    if (!part_.empty()) (void)::unlink(part_.c_str());
  }

  int fd() const { return fd_.get(); }
  bool is_file() const { return !part_.empty(); }
  Status CheckRoom(std::uint64_t bytes) const {
    struct statvfs space {};  // by the descriptor: the path may be closed to whom we act as
    if (::fstatvfs(fd(), &space) != 0) return Ok();  // not known: writing will say so
    const std::uint64_t available = std::uint64_t{space.f_bavail} * space.f_frsize;
    if (available >= bytes) return Ok();
    return Error{Code::kExhausted, DirectoryOf(file_) + ": the backup needs " + Megabytes(bytes) +
                                       ", and there are " + Megabytes(available)};
  }
  Status Keep() {
    if (!is_file()) return Ok();
    if (::fsync(fd_.get()) != 0) return FileUnavailable(part_);
    HF_TRY(GiveName());
    part_.clear();
    return SyncDirectory(DirectoryOf(file_));
  }

 private:
  explicit Target(std::string file) : file_(std::move(file)) {}
  // Whatever came to be there meanwhile stays.
  Status GiveName() const {
    const Error taken{Code::kExists, file_ + " is there already"};
    if (::renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, file_.c_str(), RENAME_NOREPLACE) == 0) {
      return Ok();
    }
    if (errno == EEXIST) return taken;
    if (errno != EINVAL && errno != ENOSYS) return FileUnavailable(file_);
    // A file system that cannot promise it (NFS): as well as it can be done there.
    if (::access(file_.c_str(), F_OK) == 0) return taken;
    return ::rename(part_.c_str(), file_.c_str()) == 0 ? Ok() : Status(FileUnavailable(file_));
  }
  std::string file_, part_;
  UniqueFd fd_;
};

UniqueFd OpenSource(const Source& source) {
  return UniqueFd(::open(source.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

// Its size, unless the ledger has said it; and whether it can be read, as far as opening it says so.
Status Measure(Source& source) {
  struct stat info {};
  const UniqueFd from = OpenSource(source);
  if (!from.valid() || ::fstat(from.get(), &info) != 0) return FileUnavailable(source.path);
  if (!S_ISREG(info.st_mode)) return Error{Code::kCorrupt, source.path + " is no file"};
  if (source.size == 0) source.size = static_cast<std::uint64_t>(info.st_size);
  if (source.size <= static_cast<std::uint64_t>(info.st_size)) return Ok();
  return Error{Code::kCorrupt, source.path + " is shorter than the ledger says"};
}

struct Written {
  std::uint64_t at_ms = 0;  // the moment that it is of
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> faults;
};

Status AddLarge(ArchiveWriter& archive, const Source& source, Written& written) {
  const UniqueFd from = OpenSource(source);
  if (!from.valid()) {  // it could be opened a moment ago
    written.faults.push_back(FileUnavailable(source.path).message + "; it is left out");
    return Ok();
  }
  HF_ASSIGN_OR_RETURN(const ArchiveWriter::Added added,
                      archive.AddFile(source.name, from.get(), source.size));
  if (!added.fault.empty()) {
    // Without its ledger a backup is none.
    if (source.name == kLedgerMember) return Error{Code::kUnavailable, added.fault};
    written.faults.push_back(source.path + ": " + added.fault + "; the rest of it is zeros");
  } else if (source.content && *source.content != added.sha256) {
    written.faults.push_back(source.path + " is damaged: it is in the backup as it is");
  }
  ++written.files;
  written.bytes += source.size;
  return Ok();
}

BackupHead HeadOf(const FleetId& fleet, std::uint64_t made_ms) {
  BackupHead head;
  head.version = HOLDFAST_VERSION;
  head.schema = LedgerSchema();
  head.fleet_id = fleet;
  head.made_ms = made_ms;
  return head;
}

Result<Written> WriteArchive(const Config& config, const Staged& staged, const Target& target,
                             const StopRequest& stop) {
  const auto crypto = NewOpensslCrypto();
  HF_ASSIGN_OR_RETURN(const FleetId fleet, ReadFleetId(*crypto, config.policy_file));
  HF_ASSIGN_OR_RETURN(std::vector<Source> large, LargeFiles(config, staged));
  Written written;
  std::erase_if(large, [&written](Source& source) {
    const Status measured = Measure(source);
    if (!measured.ok()) written.faults.push_back(measured.error().message + "; it is left out");
    return !measured.ok();
  });
  if (large.empty() || large.front().name != kLedgerMember) {
    return Error{Code::kUnavailable, written.faults.front()};
  }
  std::vector<std::pair<std::string, std::string>> small = {
      {std::string(kHeadMember), FormatHead(HeadOf(fleet, staged.at_ms))},
      {std::string(kConfigMember), config.text}};
  for (const Source& source : SmallFiles(config)) {
    HF_ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(source.path, kMaxSmallMemberBytes));
    small.emplace_back(source.name, std::move(bytes));
  }
  std::uint64_t total = 0;
  for (const auto& [name, bytes] : small) total += bytes.size() + 2 * kTarBlockBytes;
  for (const Source& source : large) total += source.size + 2 * kTarBlockBytes;
  if (target.is_file()) HF_TRY(target.CheckRoom(total));
  BackupProgress progress("backing up", total);
  ArchiveWriter archive(target.fd(), *crypto, stop, staged.at_ms / 1000,
                        [&progress](std::uint64_t bytes) { progress.Show(bytes); });
  for (const auto& [name, bytes] : small) HF_TRY(archive.AddBytes(name, bytes));
  for (const Source& source : large) HF_TRY(AddLarge(archive, source, written));
  HF_TRY(archive.Finish());
  return written;
}

// All of it, with the rights of whom the state belongs to: its paths lead where its owner wants.
Result<Written> ReadState(const Config& config, const Target& target, const StopRequest& stop) {
  HF_ASSIGN_OR_RETURN(const ActAs acts, ActAs::Begin(config.state_dir));
  HF_ASSIGN_OR_RETURN(Staged staged, Stage(config, stop));
  HF_TRY(CheckLedgerPages(staged.folder + "/ledger.db", [&stop] { return stop.came(); }));
  HF_ASSIGN_OR_RETURN(Written written, WriteArchive(config, staged, target, stop));
  // A control that began anew has taken its copy away: what seemed to be missing may not be.
  if (staged.line) HF_TRY(staged.line->StillOpen());
  written.at_ms = staged.at_ms;
  return written;
}

}  // namespace

Result<int> MakeBackup(const Config& config, const std::string& file) {
  if (!config.store_url.empty()) {
    return Error{
        Code::kUnsupported,
        "the record is in PostgreSQL (store.url): back it up with pg_dump, and then copy " +
            config.state_dir + "/results and blobs; docs/operations/postgresql.md says how"};
  }
  const StopRequest stop;
  ::umask(0077);
  HF_ASSIGN_OR_RETURN(Target target, Target::Open(file));
  HF_ASSIGN_OR_RETURN(const Written written, ReadState(config, target, stop));
  HF_TRY(target.Keep());
  for (const std::string& fault : written.faults) {
    std::fprintf(stderr, "holdfastd: %s\n", fault.c_str());
  }
  std::fprintf(file == "-" ? stderr : stdout, "%s: %zu files, %s, as of %s\n", file.c_str(),
               written.files, Megabytes(written.bytes).c_str(),
               Rfc3339(WallTime(written.at_ms)).c_str());
  return written.faults.empty() ? 0 : 1;
}

}  // namespace holdfast::backend
