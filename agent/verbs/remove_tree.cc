#include <cerrno>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/verbs/tree_change.h"
#include "agent/verbs/tree_walk.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {
namespace {

void RemoveBelow(UniqueFd fd, const std::string& path, const OwnState& own, Changes& changes) {
  TreeWalk walk(std::move(fd), path, TreeWalk::Mounts::kNone);
  TreeEntry entry;
  for (auto step = walk.Next(entry); step != TreeWalk::Step::kEnd; step = walk.Next(entry)) {
    const bool is_directory = S_ISDIR(entry.stat.mode);
    if (step == TreeWalk::Step::kEntry && is_directory) {
      if (!own.Is(entry.stat)) continue;
      walk.Skip();  // bound to another place as well
      changes.Fail(OwnStateRefusal(entry.path));
    } else if (step == TreeWalk::Step::kDenied) {
      changes.Fail(entry.path, entry.error);
    } else if (unlinkat(entry.dir_fd, entry.name.c_str(), is_directory ? AT_REMOVEDIR : 0) == 0) {
      ++(is_directory ? changes.directories : changes.files);
      if (S_ISREG(entry.stat.mode)) changes.bytes += entry.stat.size;
    } else if (errno != ENOENT) {
      changes.Fail(entry.path, errno);
    }
  }
}

}  // namespace

void RemoveTree(const PinnedPlace& place, const std::string& path, Below below, const OwnState& own,
                Changes& changes) {
  FileStat stat;
  if (const int error = place.Stat(stat); error != 0) return changes.Fail(path, error);
  const bool is_directory = S_ISDIR(stat.mode);
  if (is_directory ? own.Holds(place.dir_fd(), stat) : own.HoldsDirectory(place.dir_fd())) {
    return changes.Fail(OwnStateRefusal(path));
  }
  if (is_directory) {
    if (below == Below::kNo) return changes.Fail(NotRecursive(path));
    UniqueFd fd(openat(place.dir_fd(), place.name().c_str(),
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return changes.Fail(path, errno);
    RemoveBelow(std::move(fd), path, own, changes);
    if (changes.failed > 0) return;  // it cannot be empty
  }
  if (unlinkat(place.dir_fd(), place.name().c_str(), is_directory ? AT_REMOVEDIR : 0) != 0) {
    return changes.Fail(path, errno);
  }
  ++(is_directory ? changes.directories : changes.files);
  if (S_ISREG(stat.mode)) changes.bytes += stat.size;
}

}  // namespace holdfast::agent
