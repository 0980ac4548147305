#include "agent/adapters/linux/directory.h"

#include <cerrno>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <sys/stat.h>

#include "agent/adapters/linux/os_error.h"

namespace holdfast::agent {

Result<std::vector<std::string>> ListNames(const std::string& dir) {
  struct CloseDir {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, CloseDir> open(::opendir(dir.c_str()));
  if (open == nullptr) return OsError("reading " + dir, errno);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(open.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return OsError("reading " + dir, errno);
  return names;
}

void MakeParents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    ::mkdir(path.substr(0, slash).c_str(), 0777);  // as the umask allows
  }
}

}  // namespace holdfast::agent
