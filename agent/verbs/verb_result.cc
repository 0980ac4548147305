#include "agent/verbs/verb_result.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/core/limits.h"
#include "common/base/untrusted.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::size_t kMaxPathBytes = 4096;  // PATH_MAX
constexpr int kMaxPaths = 64;                // of one command (command.proto)
constexpr std::size_t kMaxShownBytes = 700;  // leaves room for the words around it in a message

// strerror_r has two signatures; overloads take whichever the C library has.
[[maybe_unused]] const char* PickText(const char* text, const char*) { return text; }
[[maybe_unused]] const char* PickText(int, const char* buffer) { return buffer; }

}  // namespace

pb::Result Done() {
  pb::Result result;
  result.set_outcome(pb::OUTCOME_DONE);
  return result;
}

pb::Result DoneWith(std::string_view note) {
  pb::Result result = Done();
  result.set_message(ForTerminal(Untrusted(std::string(note)), kMaxResultMessageBytes));
  return result;
}

pb::Result Failed(pb::CommandFailure failure, std::string_view message) {
  pb::Result result;
  result.set_outcome(pb::OUTCOME_FAILED);
  result.set_failure(failure);
  result.set_message(ForTerminal(Untrusted(std::string(message)), kMaxResultMessageBytes));
  return result;
}

std::string ErrnoText(int error) {
  std::array<char, 128> buffer = {};
  return PickText(strerror_r(error, buffer.data(), buffer.size()), buffer.data());
}

pb::CommandFailure FailureOfErrno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR: return pb::COMMAND_FAILURE_NO_SUCH_FILE;
    case EISDIR:
    case ENXIO: return pb::COMMAND_FAILURE_NOT_A_FILE;
    case EACCES:
    case EPERM: return pb::COMMAND_FAILURE_PERMISSION;
    case ESRCH: return pb::COMMAND_FAILURE_NO_SUCH_PROCESS;
    default: return pb::COMMAND_FAILURE_IO;
  }
}

pb::Result FailedErrno(int error, std::string_view path) {
  return Failed(FailureOfErrno(error), Shown(path) + ": " + ErrnoText(error));
}

std::string Shown(std::string_view bytes) {
  return ForTerminal(Untrusted(std::string(bytes)), kMaxShownBytes);
}

PathCheck CheckPath(std::string_view path) {
  const char* wrong = nullptr;
  if (path.empty() || path.front() != '/') {
    wrong = "not an absolute path";
  } else if (path.size() >= kMaxPathBytes) {
    wrong = "a path is at most 4095 bytes";
  } else if (path.find('\0') != std::string_view::npos) {
    wrong = "a path cannot hold a NUL byte";
  }
  if (wrong == nullptr) return {.good = true, .failure = {}};
  return {.good = false,
          .failure = Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, Shown(path) + ": " + wrong)};
}

PathCheck CheckPaths(const google::protobuf::RepeatedPtrField<std::string>& paths) {
  if (paths.empty() || paths.size() > kMaxPaths) {
    return {.good = false,
            .failure = Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                              "1 to " + std::to_string(kMaxPaths) + " paths are needed, not " +
                                  std::to_string(paths.size()))};
  }
  for (const std::string& path : paths) {
    if (PathCheck check = CheckPath(path); !check.good) return check;
  }
  return {.good = true, .failure = {}};
}

pb::Result OpenFailure(const OpenedFile& file, std::string_view path) {
  if (file.error != ENXIO) return FailedErrno(file.error, path);
  const std::string text =
      (file.stat.mode & kTypeMask) == kTypeDirectory
          ? ErrnoText(EISDIR)
          : "Not a regular file (" + std::string(TypeName(file.stat.mode)) + ")";
  return Failed(pb::COMMAND_FAILURE_NOT_A_FILE, Shown(path) + ": " + text);
}

pb::Result AlreadyThere(std::string_view path) {
  return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                Shown(path) + ": " + ErrnoText(EEXIST) + "; overwrite was not asked for");
}

pb::Result NotRecursive(std::string_view path) {
  return Failed(pb::COMMAND_FAILURE_NOT_A_FILE,
                Shown(path) + ": " + ErrnoText(EISDIR) + "; recursive was not asked for");
}

pb::Result OwnStateRefusal(std::string_view path) {
  return Failed(pb::COMMAND_FAILURE_PERMISSION,
                Shown(path) + ": holds this agent's own state, which no command changes");
}

void FillFacts(const FileStat& stat, std::string_view path, pb::FileFacts& facts) {
  facts.set_path(std::string(path));
  facts.set_size(stat.size);
  facts.set_mode(stat.mode);
  facts.set_uid(stat.uid);
  facts.set_gid(stat.gid);
  facts.set_mtime_ns(stat.mtime_ns);
  facts.set_ctime_ns(stat.ctime_ns);
  facts.set_atime_ns(stat.atime_ns);
  facts.set_btime_ns(stat.btime_ns);
}

}  // namespace holdfast::agent
