// GlobWalk: the paths that a pattern (common/base/path_pattern.h) means, one at a time.
//
// A component without * ? [ is taken as it is, also when it is a link; one with them is matched against the
// names of its directory. "**" alone in a component is everything 1 to 3 levels below, "**N" 1 to N: for
// that no symbolic link is entered, nor what is mounted from the network, /proc or /sys. "*" takes a
// leading dot, case counts.
//
//   Next() -> kFound: the path, or nothing behind it (a link that leads nowhere is found)
//          -> kDenied: a directory that cannot be entered or listed; FoundPath::error says why
//          -> kGoesOn: a moment to look at the clock; every kStepNames names
//          -> kEnd
//
// Ordering:  names sorted; a directory before what is in it.
// Limits:    32 components with wildcards: some 40 open directories, each with its names (kMaxListEntries).
// Ownership: a GlobFound is good until the next call.
// Threading: one thread.
// Errors:    what vanishes meanwhile is left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {

struct GlobFound {
  int dir_fd = -1;
  std::string name;  // relative to it, may have more than one component
  std::string path;
  int error = 0;  // errno
};

class GlobWalk {
 public:
  enum class Step { kFound, kDenied, kGoesOn, kEnd };
  static constexpr unsigned kStepNames = 1024;  // some milliseconds

  // PathPatternComplaint() has none, and homes are expanded (homes.h).
  explicit GlobWalk(std::string_view pattern);
  Step Next(GlobFound& found);

 private:
  struct Part {
    std::string text = {};
    unsigned depth = 0;  // "**": levels; 0: any other
    bool is_glob = false;
  };
  // A directory whose names are matched against a part. It is opened when its turn comes, relative to one
  // that is open below it in the stack.
  struct Level {
    int parent_fd = -1;
    std::string relative = {};
    std::string path = {};  // ends in "/"
    std::size_t part = 0;
    unsigned depth = 0;      // "**": how many levels there still are, this one included
    bool is_nested = false;  // found by "**": no link is entered
    bool is_open = false;
    UniqueFd fd = {};
    std::vector<std::string> names = {};
    std::size_t next = 0;
    int error = 0;  // not all names could be had
  };
  bool Resolve(int dir_fd, std::string relative, std::string path, std::size_t part,
               GlobFound& found);
  static int Open(Level& level);

  std::vector<Part> parts_;
  std::vector<Level> levels_;
  bool has_begun_ = false;
  unsigned looked_ = 0;  // at names, since the last step
};

}  // namespace holdfast::agent
