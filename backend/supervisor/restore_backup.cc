#include "backend/supervisor/restore_backup.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/unique_fd.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "backend/adapters/toml/toml_config.h"
#include "backend/core/control_restored.h"
#include "backend/supervisor/backup_archive.h"
#include "backend/supervisor/backup_progress.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {
namespace {

namespace fs = std::filesystem;

constexpr char kStagingSuffix[] = ".restoring";

Error NotRestored(const std::string& path) {
  return {Code::kUnavailable, path + ": " + std::generic_category().message(errno)};
}

bool IsEmptyOrMissing(const std::string& path) {
  std::error_code error;
  return !fs::exists(path, error) || fs::is_empty(path, error);
}

Result<BackupHead> ReadHead(ArchiveReader& archive) {
  HF_ASSIGN_OR_RETURN(const BackupMember first, archive.Next());
  if (first.name != kHeadMember) return Error{Code::kCorrupt, "this is no backup of Holdfast"};
  HF_ASSIGN_OR_RETURN(const std::string text, archive.Text(kMaxHeadBytes));
  HF_ASSIGN_OR_RETURN(BackupHead head, ParseHead(text));
  if (head.schema > LedgerSchema()) {
    return Error{Code::kUnsupported, "the backup is of holdfastd " + head.version +
                                         ", whose ledger (schema " + std::to_string(head.schema) +
                                         ") is newer than what this one, " HOLDFAST_VERSION
                                         ", knows (" +
                                         std::to_string(LedgerSchema()) + "); install that one"};
  }
  return head;
}

// What is put together beside its place, and moved there at the end.
class Staging {
 public:
  Staging(std::string dir, bool replace) : dir_(std::move(dir)), replace_(replace) {}
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    std::error_code ignored;
    for (const Part& part : parts_) fs::remove_all(part.staged, ignored);
    if (made_dir_) fs::remove(dir_, ignored);  // if it is empty
  }

  Status Begin(const std::string& config_text);
  // Where a member's bytes go until then.
  Result<std::string> PathOf(const std::string& member) const;
  Status MakeFile(const std::string& path, UniqueFd& fd) const;
  std::string ledger() const { return StagedState() + "/ledger.db"; }
  const std::string& config_file() const { return config_->file; }
  Status Keep();
  const std::vector<std::string>& moved_aside() const { return moved_; }

 private:
  struct Part {
    std::string staged, place;
  };
  Status CheckPlace(const std::string& place) const;
  Status AddPart(const std::string& place);
  Status MakeFolders(const std::string& path) const;
  Status GiveAway(const std::string& path) const;
  Status MoveAside(const std::string& place);
  std::string StagedState() const;

  const std::string dir_;
  const bool replace_;
  std::optional<Config> config_;  // as it will be
  std::vector<Part> parts_;       // server first, state behind it if it lies elsewhere
  std::vector<std::string> moved_;
  std::optional<struct stat> owner_;  // root makes for whom the directory belongs to
  bool made_dir_ = false;
};

Status Staging::Begin(const std::string& config_text) {
  const std::string server = dir_ + "/server";
  HF_ASSIGN_OR_RETURN(config_, ParseConfig(config_text, server + "/holdfastd.toml"));
  HF_TRY(CheckPlace(server));
  const bool state_is_elsewhere = !config_->state_dir.starts_with(server + "/");
  if (state_is_elsewhere) HF_TRY(CheckPlace(config_->state_dir));
  std::error_code error;
  made_dir_ = !fs::exists(dir_, error);
  struct stat info {};
  const std::string owned = made_dir_ ? fs::path(dir_).parent_path().string() : dir_;
  if (::stat(owned.c_str(), &info) != 0) return NotRestored(owned);
  if (::geteuid() == 0 && info.st_uid != 0) owner_ = info;
  if (made_dir_ && ::mkdir(dir_.c_str(), 0700) != 0) return NotRestored(dir_);
  if (made_dir_) HF_TRY(GiveAway(dir_));
  HF_TRY(AddPart(server));
  return state_is_elsewhere ? AddPart(config_->state_dir) : Ok();
}

Status Staging::CheckPlace(const std::string& place) const {
  const auto lock = LockFile(config_->run_dir() + "/lock");
  if (!lock.ok() && lock.error().code == Code::kExists) {
    return Error{Code::kExists, "a holdfastd runs on " + config_->state_dir + "; end it first"};
  }
  if (replace_ || IsEmptyOrMissing(place)) return Ok();
  return Error{Code::kExists,
               place + " is not empty; --replace moves it aside (nothing is deleted)"};
}

Status Staging::AddPart(const std::string& place) {
  const std::string staged = place + kStagingSuffix;
  std::error_code error;
  fs::remove_all(staged, error);  // of one that was killed
  if (::mkdir(staged.c_str(), 0700) != 0) return NotRestored(staged);
  parts_.push_back({staged, place});
  return GiveAway(staged);
}

Status Staging::GiveAway(const std::string& path) const {
  if (!owner_ || ::lchown(path.c_str(), owner_->st_uid, owner_->st_gid) == 0) return Ok();
  return NotRestored(path);
}

std::string Staging::StagedState() const {
  if (parts_.size() > 1) return parts_[1].staged;
  return parts_[0].staged + config_->state_dir.substr(parts_[0].place.size());
}

Result<std::string> Staging::PathOf(const std::string& member) const {
  constexpr std::string_view kServer = "server/";
  constexpr std::string_view kState = "state/";
  if (member.starts_with(kState)) return StagedState() + "/" + member.substr(kState.size());
  if (member.starts_with(kServer)) return parts_[0].staged + "/" + member.substr(kServer.size());
  if (member.starts_with("outside/")) return parts_[0].staged + "/" + member;
  return Error{Code::kCorrupt, member + " does not belong in a backup"};
}

Status Staging::MakeFolders(const std::string& path) const {
  if (::mkdir(path.c_str(), 0700) == 0) return GiveAway(path);
  if (errno == EEXIST) return Ok();
  if (errno != ENOENT) return NotRestored(path);
  HF_TRY(MakeFolders(fs::path(path).parent_path().string()));
  return MakeFolders(path);
}

Status Staging::MakeFile(const std::string& path, UniqueFd& fd) const {
  HF_TRY(MakeFolders(fs::path(path).parent_path().string()));
  fd.Reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return NotRestored(path);
  return GiveAway(path);
}

Status Staging::MoveAside(const std::string& place) {
  std::string stamp = Rfc3339(WallNow());
  const std::string aside = place + ".before-" + stamp;
  if (::rename(place.c_str(), aside.c_str()) != 0) return NotRestored(place);
  moved_.push_back(aside);
  return Ok();
}

// State first: a configuration without its state would begin an empty ledger.
Status Staging::Keep() {
  const UniqueFd folder(::open(dir_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::syncfs(folder.get()) != 0) return NotRestored(dir_);
  while (!parts_.empty()) {
    const Part part = parts_.back();
    const UniqueFd staged(::open(part.staged.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!staged.valid() || ::syncfs(staged.get()) != 0) return NotRestored(part.staged);
    if (!IsEmptyOrMissing(part.place)) HF_TRY(MoveAside(part.place));
    if (::rename(part.staged.c_str(), part.place.c_str()) != 0) return NotRestored(part.place);
    parts_.pop_back();
  }
  made_dir_ = false;
  return ::fsync(folder.get()) == 0 ? Ok() : Status(NotRestored(dir_));
}

Status WriteWhole(int fd, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return NotRestored(path);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return Ok();
}

Status TakeMember(ArchiveReader& archive, const BackupMember& member, Staging* staging) {
  if (staging == nullptr) {
    return archive.CopyTo([](std::string_view) { return Ok(); });
  }
  HF_ASSIGN_OR_RETURN(const std::string path, staging->PathOf(member.name));
  UniqueFd fd;
  HF_TRY(staging->MakeFile(path, fd));
  return archive.CopyTo([&](std::string_view bytes) { return WriteWhole(fd.get(), path, bytes); });
}

Status TakeConfig(ArchiveReader& archive, Staging* staging) {
  HF_ASSIGN_OR_RETURN(const BackupMember member, archive.Next());
  if (member.name != kConfigMember) return Error{Code::kCorrupt, "the backup has no configuration"};
  HF_ASSIGN_OR_RETURN(const std::string text, archive.Text(kMaxSmallMemberBytes));
  if (staging == nullptr) return Ok();
  HF_TRY(staging->Begin(text));
  HF_ASSIGN_OR_RETURN(const std::string path, staging->PathOf(member.name));
  UniqueFd fd;
  HF_TRY(staging->MakeFile(path, fd));
  return WriteWhole(fd.get(), path, text);
}

// Everything behind the head; the manifest has the last word.
Status TakeAll(ArchiveReader& archive, Staging* staging) {
  HF_TRY(TakeConfig(archive, staging));
  for (;;) {
    HF_ASSIGN_OR_RETURN(const BackupMember member, archive.Next());
    if (member.name == kManifestMember) break;
    HF_TRY(TakeMember(archive, member, staging));
  }
  HF_TRY(archive.CheckManifest());
  if (archive.members().contains(kLedgerMember)) return Ok();
  return Error{Code::kCorrupt, "the backup has no ledger"};
}

void SayRestored(const RestoreOptions& options, const Staging& staging, const BackupHead& head,
                 const ArchiveReader& archive, const Restored& restored) {
  std::printf("%s: fleet %s as of %s\n", options.dir.c_str(), head.fleet_id.hex().c_str(),
              Rfc3339(WallTime(head.made_ms)).c_str());
  std::printf("  agents %zu; open commands ended (JOURNAL_LOST) %zu; enrolment tokens: all void\n",
              restored.agents, restored.deliveries);
  for (const std::string& path : staging.moved_aside()) {
    std::printf("  what was there is now %s\n", path.c_str());
  }
  for (const auto& [name, sum] : archive.members()) {
    constexpr std::string_view kOutside = "outside";
    if (!name.starts_with("outside/")) continue;
    std::printf("  %s lies in %s/server/%s: put it back if it is missing\n",
                name.substr(kOutside.size()).c_str(), options.dir.c_str(), name.c_str());
  }
  std::printf(
      "Look at docs/operations/backup.md, \"After a restore\", before you start it: agents that "
      "were\n"
      "removed since are back, those that enrolled since must enrol again.\n");
}

Result<int> Restore(const RestoreOptions& options, int fd) {
  const StopRequest stop;
  ::umask(0077);
  const auto crypto = NewOpensslCrypto();
  std::optional<BackupProgress> progress;  // its line goes away before anything else is said
  progress.emplace(options.check_only ? "checking" : "restoring", 0);
  ArchiveReader archive(fd, *crypto, stop,
                        [&progress](std::uint64_t bytes) { progress->Show(bytes); });
  HF_ASSIGN_OR_RETURN(const BackupHead head, ReadHead(archive));
  if (options.check_only) {
    HF_TRY(TakeAll(archive, nullptr));
    progress.reset();
    std::printf("%s: whole; %zu files of fleet %s, as of %s, by holdfastd %s\n",
                options.file.c_str(), archive.members().size(), head.fleet_id.hex().c_str(),
                Rfc3339(WallTime(head.made_ms)).c_str(), head.version.c_str());
    return 0;
  }
  const std::string dir = fs::absolute(options.dir).lexically_normal().string();
  Staging staging(dir.ends_with('/') ? dir.substr(0, dir.size() - 1) : dir, options.replace);
  HF_TRY(TakeAll(archive, &staging));
  progress.reset();
  Restored restored;
  {
    HF_ASSIGN_OR_RETURN(const auto ledger, OpenSqliteStore(staging.ledger()));
    HF_TRY(ledger->DropTokens());  // committed with what follows
    HF_ASSIGN_OR_RETURN(restored,
                        BeginAnew(*ledger, *crypto, head.made_ms, {MonotonicNow(), WallNow()}));
  }
  HF_TRY(staging.Keep());
  SayRestored(options, staging, head, archive, restored);
  return 0;
}

}  // namespace

Result<int> RestoreBackup(const RestoreOptions& options) {
  if (options.file == "-") return Restore(options, STDIN_FILENO);
  const UniqueFd fd(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return NotRestored(options.file);
  return Restore(options, fd.get());
}

}  // namespace holdfast::backend
