#include "agent/adapters/linux/os_error.h"

#include <cerrno>
#include <system_error>

namespace holdfast::agent {
namespace {

Code CodeOf(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT: return Code::kExhausted;
    case ENOENT: return Code::kNotFound;
    case EEXIST: return Code::kExists;
    case EACCES:
    case EPERM: return Code::kDenied;
    default: return Code::kUnavailable;
  }
}

}  // namespace

Error OsError(std::string_view doing, int number) {
  return Error{CodeOf(number), std::string(doing) + ": " + std::generic_category().message(number)};
}

}  // namespace holdfast::agent
