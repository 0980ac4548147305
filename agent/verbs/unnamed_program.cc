#include "agent/verbs/unnamed_program.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/verbs/beside_file.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

bool MayExecuteFrom(const std::string& directory) {
  struct statvfs at = {};
  return statvfs(directory.c_str(), &at) == 0 && (at.f_flag & ST_NOEXEC) == 0;
}

UniqueFd NewFile(const std::string& directory, std::uint64_t size) {
  UniqueFd made;
  if (MayExecuteFrom(directory)) {
    made.reset(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0700));
  }
  if (made.valid() || size > UnnamedProgram::kMaxMemoryBytes) return made;
  return UniqueFd(memfd_create("holdfast-run", MFD_CLOEXEC));
}

bool BeginsAsScript(int fd) {
  std::array<char, 2> begin = {};
  return pread(fd, begin.data(), begin.size(), 0) == 2 && begin[0] == '#' && begin[1] == '!';
}

}  // namespace

pb::Result UnnamedProgram::Make(const VerbRun& run, bool is_script) {
  const auto failed = [](int error) {
    return Failed(pb::COMMAND_FAILURE_IO, "the program's file: " + ErrnoText(error));
  };
  const std::string blob_path(run.blob_path);
  const OpenedFile blob = OpenRegular(blob_path);
  if (blob.error != 0) {
    return Failed(pb::COMMAND_FAILURE_IO, "the fetched content: " + ErrnoText(blob.error));
  }
  if (run.command.blobs_size() != 1 || blob.stat.size != run.command.blobs(0).size()) {
    return Failed(pb::COMMAND_FAILURE_BLOB_CORRUPT, "the fetched content has another size");
  }
  const UniqueFd made = NewFile(blob_path.substr(0, blob_path.rfind('/') + 1), blob.stat.size);
  if (!made.valid()) return failed(errno);
  if (const int error = CopyAll(blob.fd.get(), made.get()); error != 0) return failed(error);
  if (fchmod(made.get(), 0700) != 0) return failed(errno);
  // What is open for writing cannot be executed. An interpreter opens it again, after execve.
  const int inherited = is_script || BeginsAsScript(made.get()) ? 0 : O_CLOEXEC;
  const std::string again = "/proc/self/fd/" + std::to_string(made.get());
  fd_.reset(open(again.c_str(), O_RDONLY | inherited));  // NOLINT(android-cloexec-open)
  return fd_.valid() ? Done() : failed(errno);
}

}  // namespace holdfast::agent
