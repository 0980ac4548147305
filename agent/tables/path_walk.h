// PathWalk: the files that a query's constraints on path or directory mean, one at a time.
//
//   path = '/a'               that one             directory = '/a'          everything in it
//   path LIKE '/a/%'          one level            directory LIKE '/home/%'  everything in each
//   path LIKE '/a/%%'         all below, without following links
//
// A segment with '%' or '_' is matched against the names of its directory; others are taken as they
// are. '%' never spans a '/', as in osquery.
//
// Limits:    kMaxDepth levels; a directory's names (kMaxListEntries) per open level.
// Threading: thread-compatible.
// Errors:    what cannot be listed is skipped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/table.h"

namespace holdfast::agent {

// SQLite's LIKE for one name: '%' any run, '_' one character, ASCII letters in either case.
bool LikeMatches(std::string_view pattern, std::string_view name);

struct FoundPath {
  std::string path;
  std::string directory;
  std::string filename;
};

class PathWalk {
 public:
  // kInvalid when neither column is constrained; `table` is named in the message.
  static Result<PathWalk> Open(const Request& request, std::string_view table, Machine& machine);
  bool Next(FoundPath& found);
  // '%%' goes through neither /proc nor /sys, unless the pattern begins there.
  void LeaveOutKernel() { leave_out_kernel_ = true; }

 private:
  static constexpr std::size_t kMaxDepth = 128;  // deeper is an attack on whoever looks

  struct Level {
    std::string directory;           // as it appears in paths, without the last '/'
    std::vector<std::string> names;  // in it
    std::size_t next = 0;
    std::size_t segment = 0;  // of segments_, which the names must match
  };
  explicit PathWalk(Machine& machine) : machine_(&machine) {}
  void StartPattern(std::string_view pattern);
  void Descend(std::string prefix, std::size_t segment);
  bool Visit(std::string path, std::size_t segment);
  bool NextMatch(std::string& path);

  Machine* machine_;
  bool leave_out_kernel_ = false;
  bool list_matches_ = false;  // the pattern names directories: their entries are wanted
  std::vector<std::string> segments_;
  std::vector<Level> levels_;
  std::string single_;  // a match without any listing
  bool has_single_ = false;
  std::string listed_directory_;     // as it appears in the column `directory`
  std::vector<std::string> listed_;  // entries of it
  std::size_t next_listed_ = 0;
};

}  // namespace holdfast::agent
