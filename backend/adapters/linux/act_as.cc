#include "backend/adapters/linux/act_as.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {

Error Failed(Code code, const std::string& what) {
  return {code, what + ": " + std::generic_category().message(errno)};
}

}  // namespace

Result<ActAs> ActAs::Begin(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) return Failed(Code::kUnavailable, directory);
  if (::geteuid() != 0 || info.st_uid == 0) return ActAs(false);
  ActAs acts(true);  // whatever of it succeeds is taken back
  const gid_t group = info.st_gid;
  if (::setgroups(1, &group) != 0 || ::setegid(group) != 0 || ::seteuid(info.st_uid) != 0) {
    return Failed(Code::kDenied, "acting as the owner of " + directory);
  }
  return acts;
}

ActAs::~ActAs() {
  if (!acts_) return;
  // Root's other groups are not given back: root needs none.
  const gid_t group = ::getgid();
  if (::seteuid(::getuid()) != 0 || ::setegid(group) != 0 || ::setgroups(1, &group) != 0) {
    std::abort();  // it was allowed when it began; with half of the rights nothing is right
  }
}

}  // namespace holdfast::backend
