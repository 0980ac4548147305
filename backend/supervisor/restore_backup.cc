#include "backend/supervisor/restore_backup.h"

#include <cstdio>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/unique_fd.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "backend/core/control_restored.h"
#include "backend/supervisor/backup_archive.h"
#include "backend/supervisor/backup_progress.h"
#include "backend/supervisor/restore_staging.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {
namespace {

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

Status TakeMember(ArchiveReader& archive, const BackupMember& member, Staging* staging) {
  if (staging == nullptr) {
    return archive.CopyTo([](std::string_view) { return Ok(); });
  }
  HF_ASSIGN_OR_RETURN(const std::string path, staging->PathOf(member.name));
  UniqueFd fd;
  HF_TRY(staging->MakeFile(path, fd));
  return archive.CopyTo([&](std::string_view bytes) { return WriteAll(fd.get(), path, bytes); });
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
  return WriteAll(fd.get(), path, text);
}

// Everything behind the head; the manifest has the last word.
Status TakeAll(ArchiveReader& archive, Staging* staging) {
  HF_TRY(TakeConfig(archive, staging));
  for (;;) {
    HF_ASSIGN_OR_RETURN(const BackupMember member, archive.Next());
    if (member.name == kManifestMember) break;
    if (member.name.starts_with("state/") && !IsStateMember(member.name)) {
      return Error{Code::kCorrupt, member.name + " does not belong in a backup"};
    }
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

// Of a file; 0 of a pipe.
std::uint64_t SizeOf(int fd) {
  struct stat info {};
  const bool is_file = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  return is_file ? static_cast<std::uint64_t>(info.st_size) : 0;
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
  Staging staging({options.dir, options.replace, options.state, SizeOf(fd)});
  HF_TRY(TakeAll(archive, &staging));
  HF_TRY(CheckLedgerPages(staging.ledger(), [&stop] { return stop.came(); }));
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
  if (!fd.valid()) return FileUnavailable(options.file);
  return Restore(options, fd.get());
}

}  // namespace holdfast::backend
