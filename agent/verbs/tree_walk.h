// TreeWalk: a directory and all below it, through open descriptors.
//
// Each directory is opened relative to the one it is in, never through a symbolic link: whatever is
// exchanged meanwhile, the walk stays in the tree that was opened.
//
//   Next() -> kEntry; for a directory, unless Skip() is called, what is in it and kLeave follow
//          -> kDenied: cannot be looked at, entered or listed; TreeEntry::error says why
//          -> kEnd
//
// Ordering:  entries sorted by name, a directory before what is in it.
// Limits:    kMaxDepth levels, each holds a descriptor (deeper: kDenied with ELOOP); the names of one
//            directory per level (kMaxListEntries).
// Ownership: what a TreeEntry refers to lasts until the next call.
// Threading: one thread.
// Errors:    what vanishes meanwhile is left out.
#pragma once

#include <string>
#include <vector>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {

// Names in an open directory, sorted; the descriptor stays open. `error`: 0 or why not all are there.
struct DirectoryNames {
  std::vector<std::string> names;
  int error = 0;
};
DirectoryNames NamesIn(int fd);

std::string JoinPath(const std::string& directory, const std::string& name);

struct TreeEntry {
  int dir_fd = -1;   // the directory it is in
  std::string name;  // there
  std::string path;  // as seen from where the walk began
  FileStat stat;
  std::size_t depth = 0;  // 1: in the directory that the walk began with
  int error = 0;          // errno
};

class TreeWalk {
 public:
  enum class Step { kEntry, kLeave, kDenied, kEnd };
  enum class Mounts {
    kNone,      // enters none
    kNoPseudo,  // all but those of procfs and sysfs
    kAll,
  };
  static constexpr std::size_t kMaxDepth = 256;

  // `root` is open for reading; it is no entry itself.
  TreeWalk(UniqueFd root, std::string path, Mounts mounts);
  Step Next(TreeEntry& entry);
  void Skip() { enter_ = false; }

 private:
  struct Level {
    UniqueFd fd;
    TreeEntry entry;  // of the directory itself, in the level above
    std::vector<std::string> names;
    std::size_t next = 0;
  };
  bool PassesOver(const FileStat& stat) const;
  int Enter();
  void Push(UniqueFd fd, TreeEntry entry);

  Mounts mounts_;
  std::uint64_t device_ = 0;
  std::string mount_;  // of the root, where statx does not say what is mounted
  std::vector<Level> levels_;
  TreeEntry last_;
  bool enter_ = false;  // last_, at the next call
  bool leave_ = false;  // last_, at the next call: it could not be entered
};

}  // namespace holdfast::agent
