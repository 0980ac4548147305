#include "agent/verbs/file_rows.h"

#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxLinkBytes = 4096;  // PATH_MAX

}  // namespace

void AddLinkTarget(RowWriter& rows, int dir_fd, const std::string& name, std::uint32_t mode) {
  std::string target(S_ISLNK(mode) ? kMaxLinkBytes : 0, '\0');
  const ssize_t size =
      S_ISLNK(mode) ? readlinkat(dir_fd, name.c_str(), target.data(), target.size()) : -1;
  if (size < 0) return rows.AddNull();
  rows.AddText(std::string_view(target).substr(0, static_cast<std::size_t>(size)));
}

void AddKindAndOwner(RowWriter& rows, const AccountNames& names, const std::string& path,
                     const FileStat& stat) {
  rows.AddText(path);
  rows.AddText(TypeName(stat.mode));
  rows.AddInteger(static_cast<std::int64_t>(stat.size));
  rows.AddText(OctalMode(stat.mode));
  rows.AddInteger(stat.uid);
  rows.AddInteger(stat.gid);
  names.AddUser(rows, stat.uid);
  names.AddGroup(rows, stat.gid);
}

void AddFileValues(RowWriter& rows, const AccountNames& names, int dir_fd, const std::string& name,
                   const std::string& path, const FileStat& stat) {
  const std::size_t slash = name.rfind('/');
  rows.AddText(std::string_view(name).substr(slash + 1));  // npos + 1 is 0
  AddKindAndOwner(rows, names, path, stat);
  rows.AddInteger(Seconds(stat.mtime_ns));
  rows.AddInteger(Seconds(stat.ctime_ns));
  rows.AddInteger(static_cast<std::int64_t>(stat.inode));
  rows.AddInteger(static_cast<std::int64_t>(stat.hard_links));
  AddLinkTarget(rows, dir_fd, name, stat.mode);
}

}  // namespace holdfast::agent
