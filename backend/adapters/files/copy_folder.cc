#include "backend/adapters/files/copy_folder.h"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::backend {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kMib = std::uintmax_t{1024} * 1024;
constexpr std::uintmax_t kSpareBytes = 64 * kMib;  // for commands, meanwhile

Error CopyFailed(const std::string& path) {
  return {Code::kUnavailable, path + ": " + std::generic_category().message(errno)};
}

Status MakeFolder(const std::string& path) {
  return ::mkdir(path.c_str(), 0700) == 0 ? Ok() : Status(CopyFailed(path));
}

}  // namespace

std::string CopyFolder(const std::string& state_dir) { return state_dir + "/backup"; }

Status CheckRoomForCopy(const std::string& state_dir) {
  std::error_code error;
  const auto size = fs::file_size(state_dir + "/ledger.db", error);
  if (error) return Error{Code::kUnavailable, state_dir + "/ledger.db: " + error.message()};
  const auto space = fs::space(state_dir, error);
  if (error) return Error{Code::kUnavailable, state_dir + ": " + error.message()};
  if (space.available >= size + kSpareBytes) return Ok();
  return Error{Code::kExhausted, state_dir + ": the copy of the ledger needs " +
                                     std::to_string((size + kSpareBytes) / kMib) +
                                     " MiB, and there are " +
                                     std::to_string(space.available / kMib)};
}

Status MakeCopyFolder(const std::string& state_dir) {
  RemoveCopyFolder(state_dir);
  HF_TRY(MakeFolder(CopyFolder(state_dir)));
  return MakeFolder(CopyFolder(state_dir) + "/incoming");
}

void RemoveCopyFolder(const std::string& state_dir) {
  std::error_code
      ignored;  // what cannot be removed stands in the way of the next one, which says so
  fs::remove_all(CopyFolder(state_dir), ignored);
}

Status HoldIncoming(Store& ledger, const std::string& state_dir) {
  HF_ASSIGN_OR_RETURN(const std::vector<Nonce16> names, ledger.IncomingFiles());
  for (const Nonce16& name : names) {
    const std::string from = state_dir + "/results/incoming/" + name.hex();
    const std::string to = CopyFolder(state_dir) + "/incoming/" + name.hex();
    // A file that is gone shows when it is read, with its name.
    if (::link(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return CopyFailed(to);
  }
  return Ok();
}

}  // namespace holdfast::backend
