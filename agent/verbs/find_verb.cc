// find: files by name, kind, size, time, owner, mode and content.
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/tables/regex.h"
#include "agent/verbs/content_search.h"
#include "agent/verbs/estimate.h"
#include "agent/verbs/file_rows.h"
#include "agent/verbs/glob.h"
#include "agent/verbs/place.h"
#include "agent/verbs/row_writer.h"
#include "agent/verbs/skipped.h"
#include "agent/verbs/tree_walk.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

// FindArgs.
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxContentBytes = 1024;
constexpr std::uint32_t kMaxMode = 07777;
constexpr std::string_view kTypes = "fdlpsbc";

constexpr RowColumn kOffsetColumn[] = {{"match_offset", "BIGINT"}};  // after those of ls

char TypeLetter(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    case S_IFBLK: return 'b';
    default: return 'c';
  }
}

// What is asked for, ready to be compared with what is there.
class Finder {
 public:
  Finder(const pb::FindArgs& args, RowWriter& rows, std::string_view state_dir)
      : args_(args), rows_(rows), key_(state_dir) {}

  // BAD_ARGUMENT for what cannot be asked for.
  pb::Result Prepare() {
    if (args_.name().size() > kMaxNameBytes || args_.iname().size() > kMaxNameBytes) {
      return Bad("a name is at most 255 bytes");
    }
    if (args_.content().size() > kMaxContentBytes) return Bad("content is at most 1 KiB");
    if (!args_.content().empty() && !args_.content_regex().empty()) {
      return Bad("content and content_regex exclude each other");
    }
    if (args_.types().find_first_not_of(kTypes) != std::string::npos) {
      return Bad("the types are the letters " + std::string(kTypes));
    }
    if ((args_.perm_all() | args_.perm_any()) > kMaxMode) {
      return Bad("permission bits have at most 4 octal digits");
    }
    const bool no_size = args_.below_size() != 0 && args_.min_size() >= args_.below_size();
    const bool no_time = args_.mtime_before() != 0 && args_.mtime_from() >= args_.mtime_before();
    if (no_size || no_time) {
      return Bad(std::string("no file can have such a ") + (no_size ? "size" : "time") +
                 ": it begins behind its end");
    }
    if (!args_.regex().empty()) {
      auto path = Regex::Compile(args_.regex());
      if (!path.ok()) return Bad("regex: " + path.error().message);
      path_ = std::move(path).value();
    }
    if (!args_.content().empty()) content_.emplace(args_.content());
    if (!args_.content_regex().empty()) {
      auto pattern = Regex::Compile(args_.content_regex());
      if (!pattern.ok()) return Bad("content_regex: " + pattern.error().message);
      content_.emplace(std::move(pattern).value());
    }
    if (!args_.user().empty() && !FindUser()) {
      return Bad(Shown(args_.user()) + ": no such user in /etc/passwd");
    }
    return Done();
  }

  // False: enough, or a limit.
  bool Look(const TreeEntry& entry) {
    if (!Fits(entry)) return true;
    std::optional<std::uint64_t> offset;
    if (content_ && !Holds(entry, offset)) return true;
    AddFileValues(rows_, names_, entry.dir_fd, entry.name, entry.path, entry.stat);
    if (offset) {
      rows_.AddInteger(static_cast<std::int64_t>(*offset));
    } else {
      rows_.AddNull();
    }
    return rows_.EndRow() && ++found_ != args_.max_results();
  }

  void Skip(const std::string& path, int error) { skipped_.Add(path, error); }
  pb::Result End() { return skipped_.Told(Done()); }

 private:
  static pb::Result Bad(const std::string& what) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, what);
  }

  bool FindUser() {
    const std::string& user = args_.user();
    std::uint32_t uid = 0;
    const auto [end, error] = std::from_chars(user.data(), user.data() + user.size(), uid);
    const bool is_number = error == std::errc() && end == user.data() + user.size();
    uid_ = is_number ? uid : names_.UidOf(user);
    return uid_.has_value();
  }

  bool Fits(const TreeEntry& entry) const {
    const FileStat& stat = entry.stat;
    const std::string_view name =
        std::string_view(entry.name).substr(entry.name.find_last_of('/') + 1);
    const std::int64_t mtime = Seconds(stat.mtime_ns);
    Regex::Match match;
    return (args_.types().empty() ||
            args_.types().find(TypeLetter(stat.mode)) != std::string::npos) &&
           (args_.name().empty() || GlobMatches(args_.name(), name, Letters::kAsTheyAre)) &&
           (args_.iname().empty() || GlobMatches(args_.iname(), name, Letters::kEitherCase)) &&
           stat.size >= args_.min_size() &&
           (args_.below_size() == 0 || stat.size < args_.below_size()) &&
           (args_.mtime_from() == 0 || mtime >= args_.mtime_from()) &&
           (args_.mtime_before() == 0 || mtime < args_.mtime_before()) &&
           (!uid_ || stat.uid == *uid_) && (stat.mode & args_.perm_all()) == args_.perm_all() &&
           (args_.perm_any() == 0 || (stat.mode & args_.perm_any()) != 0) &&
           (!path_ || path_->Search(entry.path, 0, match));
  }

  bool Holds(const TreeEntry& entry, std::optional<std::uint64_t>& offset) {
    if (!S_ISREG(entry.stat.mode)) return false;
    const OpenedFile file = key_.Guard(OpenRegularAt(entry.dir_fd, entry.name));
    if (file.error == ENOENT || file.error == ENXIO)
      return false;  // vanished, or another thing now
    ContentSearch::Found found = {.offset = std::nullopt, .error = file.error};
    if (file.error == 0) found = content_->Find(file.fd.get(), file.stat);
    if (found.error != 0) skipped_.Add(entry.path, found.error);
    offset = found.offset;
    return offset.has_value();
  }

  const pb::FindArgs& args_;
  RowWriter& rows_;
  const OwnKey key_;
  AccountNames names_;
  std::optional<Regex> path_;
  std::optional<ContentSearch> content_;
  std::optional<std::uint32_t> uid_;
  std::uint64_t found_ = 0;
  Skipped skipped_;
};

TreeWalk::Mounts MountsOf(const pb::FindArgs& args) {
  if (args.pseudo_file_systems()) return TreeWalk::Mounts::kAll;
  return args.other_file_systems() ? TreeWalk::Mounts::kNoPseudo : TreeWalk::Mounts::kNone;
}

// False: enough, or a limit.
bool LookBelow(const pb::FindArgs& args, UniqueFd fd, Finder& finder) {
  TreeWalk walk(std::move(fd), args.path(), MountsOf(args));
  TreeEntry entry;
  for (auto step = walk.Next(entry); step != TreeWalk::Step::kEnd; step = walk.Next(entry)) {
    if (step == TreeWalk::Step::kDenied) finder.Skip(entry.path, entry.error);
    if (step != TreeWalk::Step::kEntry) continue;
    if (entry.depth == args.max_depth()) walk.Skip();
    if (!finder.Look(entry)) return false;
  }
  return true;
}

}  // namespace

pb::Result RunFind(const pb::FindArgs& args, VerbRun& run) {
  const std::string& path = args.path();
  if (PathCheck check = CheckPath(path); !check.good) return std::move(check.failure);
  TreeEntry root;
  root.dir_fd = AT_FDCWD;
  root.name = root.path = path;
  // As ls: a link to a directory is asked for as the directory.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid() && errno != ENOTDIR && errno != ENOENT) return FailedErrno(errno, path);
  const int error = fd.valid() ? StatFd(fd.get(), root.stat)
                               : StatAt(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, root.stat);
  if (error != 0) return FailedErrno(error, path);
  if (args.estimate()) return EstimateTree(root, std::move(fd), MountsOf(args), run);
  RowWriter rows(run.out, run.limits.rows);
  Finder finder(args, rows, run.state_dir);
  if (pb::Result wrong = finder.Prepare(); wrong.outcome() != pb::OUTCOME_DONE) return wrong;
  rows.Columns(kFileColumns);
  rows.Columns(kOffsetColumn);
  if (finder.Look(root) && fd.valid()) (void)LookBelow(args, std::move(fd), finder);
  return rows.Finish(finder.End());
}

}  // namespace holdfast::agent
