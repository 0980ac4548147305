// mkdir, cp, mv, rm.
#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/verbs/beside_file.h"
#include "agent/verbs/changes.h"
#include "agent/verbs/place.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/tree_change.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::uint32_t kMaxMode = 07777;
constexpr std::uint32_t kDirectoryMode = 0755;

pb::Result NamesNothing(const std::string& path) {
  return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                Shown(path) + ": names nothing that can be changed");
}

// The place of `path`, or why there is none.
pb::Result OpenPlace(const std::string& path, PinnedPlace& place) {
  if (PathCheck check = CheckPath(path); !check.good) return std::move(check.failure);
  const int error = place.Open(path);
  if (error == EINVAL) return NamesNothing(path);
  return error == 0 ? Done() : FailedErrno(error, place.directory());
}

// Both places of cp and mv.
pb::Result OpenPlaces(const std::string& from_path, const std::string& to_path, PinnedPlace& from,
                      PinnedPlace& to) {
  if (pb::Result opened = OpenPlace(from_path, from); opened.outcome() != pb::OUTCOME_DONE) {
    return opened;
  }
  if (to_path.ends_with('/')) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                  Shown(to_path) + ": name the new file itself, not the directory it goes into");
  }
  return OpenPlace(to_path, to);
}

void CountChanges(const Changes& changes, VerbRun& run) {
  run.footprint.set_files_changed(run.footprint.files_changed() + changes.files +
                                  changes.directories);
}

pb::Result OneRow(const Changes& changes, const std::string& path, const std::string& target,
                  VerbRun& run) {
  RowWriter rows(run.out, run.limits.rows);
  rows.Columns(kChangeColumns);
  (void)changes.AddRow(rows, path, target);
  CountChanges(changes, run);
  return rows.Finish(changes.End());
}

// One directory; with `parents` one that is there will do.
int MakeOne(const std::string& path, std::uint32_t mode, bool may_be_there, Changes& changes) {
  PinnedPlace place;
  if (const int error = place.Open(path); error != 0) return error;
  if (mkdirat(place.dir_fd(), place.name().c_str(), 0700) != 0) {
    const int error = errno;
    struct stat there = {};
    const bool will_do = error == EEXIST && may_be_there && stat(path.c_str(), &there) == 0 &&
                         S_ISDIR(there.st_mode);
    return will_do ? 0 : error;
  }
  ++changes.directories;
  // The mode as it was signed, whatever this process masks.
  const UniqueFd made(openat(place.dir_fd(), place.name().c_str(),
                             O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!made.valid() || fchmod(made.get(), mode) != 0) return errno;
  return SyncDirectory(place.dir_fd());
}

void MakeDirectories(const pb::MkdirArgs& args, Changes& changes) {
  const std::string& path = args.path();
  const std::uint32_t mode = args.mode() == 0 ? kDirectoryMode : args.mode();
  for (std::size_t end = path.find('/', 1); args.parents() && end < path.size();
       end = path.find('/', end + 1)) {
    const std::string above = path.substr(0, end);
    if (above.ends_with('/') || path.find_first_not_of('/', end) == std::string::npos) continue;
    if (const int error = MakeOne(above, kDirectoryMode, true, changes);
        error != 0 && error != EINVAL) {
      return changes.Fail(above, error);
    }
  }
  const int error = MakeOne(path, mode, args.parents(), changes);
  if (error == EEXIST) {
    return changes.Fail(Failed(
        pb::COMMAND_FAILURE_BAD_ARGUMENT,
        Shown(path) + ": " + ErrnoText(error) + (args.parents() ? ", and is no directory" : "")));
  }
  if (error != 0) changes.Fail(path, error);
}

// Between file systems; what was copied whole is then removed.
void MoveByCopy(const PinnedPlace& from, const PinnedPlace& to, const pb::MvArgs& args,
                const OwnState& own, Changes& changes) {
  FileStat stat;
  if (const int error = from.Stat(stat); error != 0) return changes.Fail(args.from(), error);
  // Two directories are never made into one.
  const bool replaces = args.overwrite() && !S_ISDIR(stat.mode);
  CopyTree({from, args.from()}, {to, args.to()}, Below::kYes,
           replaces ? Existing::kReplaced : Existing::kStays, own, changes);
  if (changes.failed > 0) return;  // nothing is removed
  Changes removed;
  RemoveTree(from, args.from(), Below::kYes, own, removed);
  if (removed.failed > 0) changes.Fail(removed.End());
}

int Rename(const PinnedPlace& from, const PinnedPlace& to, bool overwrite) {
  const char* const old_name = from.name().c_str();
  const char* const new_name = to.name().c_str();
  if (renameat2(from.dir_fd(), old_name, to.dir_fd(), new_name, overwrite ? 0 : RENAME_NOREPLACE) ==
      0) {
    return 0;
  }
  if (errno != EINVAL || overwrite) return errno;
  // A file system without RENAME_NOREPLACE: who makes the name in this moment loses it.
  FileStat there;
  if (to.Stat(there) == 0) return EEXIST;
  return renameat(from.dir_fd(), old_name, to.dir_fd(), new_name) == 0 ? 0 : errno;
}

void Move(const PinnedPlace& from, const PinnedPlace& to, const pb::MvArgs& args,
          const OwnState& own, Changes& changes) {
  FileStat stat;
  if (const int error = from.Stat(stat); error != 0) return changes.Fail(args.from(), error);
  const bool is_directory = S_ISDIR(stat.mode);
  if (is_directory ? own.Holds(from.dir_fd(), stat) : own.HoldsDirectory(from.dir_fd())) {
    return changes.Fail(OwnStateRefusal(args.from()));
  }
  if (own.HoldsDirectory(to.dir_fd())) return changes.Fail(OwnStateRefusal(args.to()));
  const int error = Rename(from, to, args.overwrite());
  if (error == EXDEV) return MoveByCopy(from, to, args, own, changes);
  if (error == EEXIST && !args.overwrite()) return changes.Fail(AlreadyThere(args.to()));
  if (error != 0) {
    return changes.Fail(
        Failed(FailureOfErrno(error),
               Shown(args.from()) + " to " + Shown(args.to()) + ": " + ErrnoText(error)));
  }
  ++(is_directory ? changes.directories : changes.files);
  for (const PinnedPlace* place : {&from, &to}) {
    if (const int failed = SyncDirectory(place->dir_fd()); failed != 0) {
      return changes.Fail(place->directory(), failed);
    }
  }
}

}  // namespace

pb::Result RunMkdir(const pb::MkdirArgs& args, VerbRun& run) {
  const std::string& path = args.path();
  if (PathCheck check = CheckPath(path); !check.good) return std::move(check.failure);
  if (PinnedPlace::NameIn(path).empty()) return NamesNothing(path);
  if (args.mode() > kMaxMode) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                  Shown(path) + ": a mode has at most 4 octal digits");
  }
  Changes changes;
  MakeDirectories(args, changes);
  return OneRow(changes, path, "", run);
}

pb::Result RunCp(const pb::CpArgs& args, VerbRun& run) {
  PinnedPlace from;
  PinnedPlace to;
  if (pb::Result opened = OpenPlaces(args.from(), args.to(), from, to);
      opened.outcome() != pb::OUTCOME_DONE) {
    return opened;
  }
  Changes changes;
  CopyTree({from, args.from()}, {to, args.to()}, args.recursive() ? Below::kYes : Below::kNo,
           args.overwrite() ? Existing::kReplaced : Existing::kStays, OwnState(run.state_dir),
           changes);
  return OneRow(changes, args.from(), args.to(), run);
}

pb::Result RunMv(const pb::MvArgs& args, VerbRun& run) {
  PinnedPlace from;
  PinnedPlace to;
  if (pb::Result opened = OpenPlaces(args.from(), args.to(), from, to);
      opened.outcome() != pb::OUTCOME_DONE) {
    return opened;
  }
  Changes changes;
  Move(from, to, args, OwnState(run.state_dir), changes);
  return OneRow(changes, args.from(), args.to(), run);
}

pb::Result RunRm(const pb::RmArgs& args, VerbRun& run) {
  if (PathCheck check = CheckPaths(args.paths()); !check.good) return std::move(check.failure);
  for (const std::string& path : args.paths()) {
    if (PinnedPlace::NameIn(path).empty()) return NamesNothing(path);  // before anything is removed
  }
  const OwnState own(run.state_dir);
  RowWriter rows(run.out, run.limits.rows);
  rows.Columns(kChangeColumns);
  pb::Result result = Done();
  for (const std::string& path : args.paths()) {
    Changes changes;
    PinnedPlace place;
    if (const int error = place.Open(path); error != 0) {
      changes.Fail(place.directory(), error);
    } else {
      RemoveTree(place, path, args.recursive() ? Below::kYes : Below::kNo, own, changes);
    }
    if (result.outcome() == pb::OUTCOME_DONE) result = changes.End();
    CountChanges(changes, run);
    if (!changes.AddRow(rows, path, "")) break;
  }
  return rows.Finish(std::move(result));
}

}  // namespace holdfast::agent
