#include "backend/supervisor/restore_staging.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/adapters/files/growing_file.h"
#include "backend/adapters/linux/clocks.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/toml/toml_config.h"
#include "backend/core/backup_format.h"
#include "backend/supervisor/backup_progress.h"

namespace holdfast::backend {
namespace {

namespace fs = std::filesystem;

constexpr char kStagingSuffix[] = ".restoring";

// Without "..", and without a '/' at its end.
std::string Clean(const std::string& path) {
  std::string clean = fs::absolute(path).lexically_normal().string();
  if (clean.ends_with('/')) clean.pop_back();
  return clean;
}

bool IsBelow(const std::string& path, const std::string& folder) {
  return path.starts_with(folder + "/");
}

std::string ParentOf(const std::string& path) { return fs::path(path).parent_path().string(); }

bool IsEmptyOrMissing(const std::string& path) {
  std::error_code error;
  return !fs::exists(path, error) || fs::is_empty(path, error);
}

}  // namespace

Staging::Staging(Options options)
    : options_{Clean(options.dir), options.replace,
               options.state.empty() ? std::string() : Clean(options.state), options.bytes} {}

Staging::~Staging() {
  std::error_code ignored;
  for (const Part& part : parts_) fs::remove_all(part.staged, ignored);
  if (made_dir_) fs::remove(options_.dir, ignored);  // if it is empty
}

Status Staging::Begin(const std::string& config_text) {
  HF_ASSIGN_OR_RETURN(const Config config, ParseConfig(config_text, server() + "/holdfastd.toml"));
  if (!config.store_url
           .empty()) {  // `backup` makes none; a record there is not made fit to be served again
    return Error{Code::kInvalid, "the backup's record is in PostgreSQL (store.url): not from here"};
  }
  state_ = Clean(config.state_dir);
  HF_TRY(CheckStateDir());
  std::error_code error;
  const bool is_new = !fs::exists(options_.dir, error);
  HF_ASSIGN_OR_RETURN(ActAs acts, ActAs::Begin(is_new ? ParentOf(options_.dir) : options_.dir));
  acts_.emplace(std::move(acts));
  HF_TRY(HoldLocks());
  HF_TRY(CheckPlace(server()));
  if (StateIsElsewhere()) HF_TRY(CheckPlace(state_));
  HF_TRY(CheckVolumes());
  if (is_new && ::mkdir(options_.dir.c_str(), 0700) != 0) return FileUnavailable(options_.dir);
  made_dir_ = is_new;
  HF_TRY(CheckRoom(StateIsElsewhere() ? ParentOf(state_) : options_.dir));
  HF_TRY(AddPart(server()));
  return StateIsElsewhere() ? AddPart(state_) : Ok();
}

bool Staging::StateIsElsewhere() const { return !IsBelow(state_, server()); }

// A backup is not signed: what it says is done in the directory that was named, and elsewhere only if that was named too.
Status Staging::CheckStateDir() const {
  if (IsBelow(server() + "/", state_)) {
    return Error{Code::kInvalid, "the backup's state.dir, " + state_ + "/, has " + server() +
                                     " in it: that cannot be restored"};
  }
  if (!options_.state.empty() && options_.state != state_) {
    return Error{Code::kInvalid,
                 "the backup's state.dir is " + state_ + ", and not " + options_.state};
  }
  if (!options_.state.empty() || IsBelow(state_, options_.dir)) return Ok();
  return Error{Code::kInvalid, "the backup's state.dir is " + state_ + ", outside of " +
                                   options_.dir + "; to have it made there add --state " + state_};
}

// Of the backend that is to be, and of the one that is. Twice: a lock file may appear while the backup is read.
Status Staging::HoldLocks() {
  std::set<std::string> states = {state_, server() + "/state"};
  const auto present = LoadConfig(server() + "/holdfastd.toml");
  if (present.ok()) states.insert(Clean(present.value().state_dir));
  for (const std::string& state : states) {
    const std::string path = state + "/run/lock";
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) continue;
      return FileUnavailable(path);
    }
    const std::pair<dev_t, ino_t> file(info.st_dev, info.st_ino);
    if (locks_.contains(file)) continue;
    auto lock = LockExistingFile(path);
    if (!lock.ok() && lock.error().code == Code::kExists) {
      return Error{Code::kExists, "a holdfastd runs on " + state + "; end it first"};
    }
    if (!lock.ok()) return std::move(lock).error();
    locks_.emplace(file, std::move(lock).value());
  }
  return Ok();
}

Status Staging::CheckPlace(const std::string& place) const {
  if (options_.replace || IsEmptyOrMissing(place)) return Ok();
  return Error{Code::kExists,
               place + " is not empty; --replace moves it aside (nothing is deleted)"};
}

// A volume that is mounted there can be neither moved aside nor replaced: better said before hours of reading.
Status Staging::CheckVolumes() const {
  for (const std::string& path :
       {server(), server() + "/state", state_, state_ + "/results", state_ + "/blobs"}) {
    struct stat here {};
    struct stat above {};
    if (::lstat(path.c_str(), &here) != 0 || ::stat(ParentOf(path).c_str(), &above) != 0) continue;
    if (here.st_dev == above.st_dev) continue;
    return Error{Code::kUnavailable,
                 path +
                     " is a volume of its own, and cannot be moved: unmount it, or have the "
                     "state in a directory on it"};
  }
  return Ok();
}

Status Staging::CheckRoom(const std::string& folder) const {
  std::error_code error;
  const auto space = fs::space(folder, error);
  if (error || space.available >= options_.bytes) return Ok();  // not known: writing will say so
  return Error{Code::kExhausted, folder + ": what is in the backup needs " +
                                     Megabytes(options_.bytes) + ", and there are " +
                                     Megabytes(space.available)};
}

Status Staging::AddPart(const std::string& place) {
  const std::string staged = place + kStagingSuffix;
  std::error_code error;
  fs::remove_all(staged, error);  // of one that was killed
  if (::mkdir(staged.c_str(), 0700) != 0) {
    const bool may_not = errno == EACCES || errno == EPERM;
    Error failed = FileUnavailable(staged);
    if (may_not) failed.message += ": the owner of " + options_.dir + " must be able to make it";
    return failed;
  }
  parts_.push_back({staged, place});
  return Ok();
}

std::string Staging::StagedState() const {
  if (parts_.size() > 1) return parts_[1].staged;
  return parts_[0].staged + state_.substr(parts_[0].place.size());
}

Result<std::string> Staging::PathOf(const std::string& member) const {
  constexpr std::string_view kServer = "server/";
  constexpr std::string_view kState = "state/";
  if (IsStateMember(member)) return StagedState() + "/" + member.substr(kState.size());
  if (member.starts_with(kServer)) {
    std::string path = parts_[0].staged + "/" + member.substr(kServer.size());
    if (!IsBelow(path + "/", StagedState())) return path;
  }
  if (member.starts_with("outside/")) return parts_[0].staged + "/" + member;
  return Error{Code::kCorrupt, member + " does not belong in a backup"};
}

Status Staging::MakeFile(const std::string& path, UniqueFd& fd) const {
  HF_TRY(MakeDirectories(ParentOf(path)));
  fd.Reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  return fd.valid() ? Ok() : Status(FileUnavailable(path));
}

Status Staging::Keep() {
  HF_TRY(HoldLocks());
  Status moved = MoveAll();
  if (!moved.ok()) {
    Error error = std::move(moved).error();
    error.message += Undo();
    return error;
  }
  parts_.clear();
  made_dir_ = false;
  return Ok();
}

Status Staging::MoveAll() {
  const std::string aside = ".before-" + Rfc3339(WallNow());
  for (auto at = parts_.rbegin(); at != parts_.rend(); ++at) {
    const Part& part = *at;
    const UniqueFd staged(::open(part.staged.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!staged.valid() || ::syncfs(staged.get()) != 0) return FileUnavailable(part.staged);
    if (!IsEmptyOrMissing(part.place)) HF_TRY(Rename(part.place, part.place + aside));
    HF_TRY(Rename(part.staged, part.place));
  }
  return made_dir_ ? SyncDirectory(ParentOf(options_.dir)) : Ok();
}

Status Staging::Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return FileUnavailable(from);
  moves_.push_back({from, to});
  return SyncDirectory(ParentOf(to));
}

std::string Staging::Undo() {
  std::string left;
  for (auto at = moves_.rbegin(); at != moves_.rend(); ++at) {
    const Move& move = *at;
    if (::rename(move.to.c_str(), move.from.c_str()) == 0) continue;
    left += "; what was " + move.from + " is now " + move.to;
  }
  moves_.clear();
  return left;
}

std::vector<std::string> Staging::moved_aside() const {
  std::vector<std::string> out;
  for (const Move& move : moves_) {
    if (!move.from.ends_with(kStagingSuffix)) out.push_back(move.to);
  }
  return out;
}

}  // namespace holdfast::backend
