// update, the worker's part: the fetched program gets its place and is asked who it is.
//
// Whether it may be there at all warden has checked over these very bytes. It is written beside its place, synced, asked for its
// version (a program of another architecture, or on a file system that runs none, says so here and harms nobody), and
// only then gets its name. What is on trial or runs has another.
#include <array>
#include <cerrno>
#include <chrono>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/core/program_arch.h"
#include "agent/verbs/beside_file.h"
#include "agent/verbs/child_process.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"
#include "common/sign/update.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

// It says one line and ends.
constexpr auto kSayVersionFor = std::chrono::seconds(10);
constexpr std::size_t kMaxVersionLine = 128;
// The link process runs it too, under another user, from an open descriptor: the directories above stay closed to him.
constexpr mode_t kProgramMode = 0755;

// What the program says to "version", or how it did not.
pb::Result AskVersion(const std::string& path, std::string& said) {
  ExecPlan plan;
  plan.argv = {"holdfast-agent", "version"};
  plan.candidates = {path};
  plan.cwd = "/";
  plan.cpu_ms = 10'000;
  plan.mem_bytes = std::uint64_t{512} << 20;
  ChildProcess child;
  if (const StartResult start = child.Start(plan); start.failed_at != StartStep::kStarted) {
    const std::string why = start.error == ENOEXEC  ? " (built for another processor?)"
                            : start.error == EACCES ? " (a file system that runs no programs?)"
                                                    : "";
    return Failed(pb::COMMAND_FAILURE_CANNOT_EXECUTE,
                  Shown(path) + ": " + ErrnoText(start.error) + why);
  }
  const auto until = std::chrono::steady_clock::now() + kSayVersionFor;
  for (bool is_open = true; is_open && said.size() <= kMaxVersionLine;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd fd = {.fd = child.stdout_fd(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&fd, 1, static_cast<int>(left.count())) <= 0) break;
    std::array<char, kMaxVersionLine> buffer = {};
    const ssize_t got = read(child.stdout_fd(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    is_open = got > 0;
    if (is_open) said.append(buffer.data(), static_cast<std::size_t>(got));
  }
  child.EndGroup();
  (void)child.Reap();
  return Done();
}

pb::Result WriteProgram(const OpenedFile& blob, const std::string& path) {
  const UniqueFd file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kProgramMode));
  if (!file.valid()) return FailedErrno(errno, path);
  if (const int error = CopyAll(blob.fd.get(), file.get()); error != 0) {
    return FailedErrno(error, path);
  }
  if (fchmod(file.get(), kProgramMode) != 0 || fsync(file.get()) != 0)
    return FailedErrno(errno, path);
  return Done();
}

pb::Result Stage(const OpenedFile& blob, const std::string& dir, const std::string& version) {
  const std::string path = dir + "/" + std::string(kProgramPrefix) + version;
  const std::string temporary = path + ".new";
  if (pb::Result written = WriteProgram(blob, temporary); written.outcome() != pb::OUTCOME_DONE) {
    (void)unlink(temporary.c_str());
    return written;
  }
  std::string said;
  pb::Result asked = AskVersion(temporary, said);
  if (asked.outcome() == pb::OUTCOME_DONE && said != "holdfast-agent " + version + "\n") {
    asked = Failed(pb::COMMAND_FAILURE_REFUSED_CONTENT,
                   "the program of release " + version + " says that it is '" +
                       Shown(said.substr(0, said.find('\n'))) + "'");
  }
  if (asked.outcome() != pb::OUTCOME_DONE) {
    (void)unlink(temporary.c_str());
    return asked;
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return FailedErrno(errno, path);
  const UniqueFd names(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!names.valid() || fsync(names.get()) != 0) return FailedErrno(errno, dir);
  return Done();
}

}  // namespace

pb::Result RunUpdate(const pb::UpdateArgs& args, VerbRun& run) {
  // Its signatures have held: warden read the same bytes.
  auto envelope = sign::ParseEnvelope(args.release(), sign::kReleaseType);
  auto release = envelope.ok() ? sign::ParseRelease(envelope.value().payload())
                               : Result<pb::Release>(envelope.error());
  if (!release.ok()) {
    return Failed(pb::COMMAND_FAILURE_REFUSED_CONTENT, release.error().message);
  }
  const OpenedFile blob = OpenRegular(std::string(run.blob_path));
  if (blob.error != 0) {
    return Failed(pb::COMMAND_FAILURE_IO, "the fetched program: " + ErrnoText(blob.error));
  }
  const pb::ReleaseFile* file = sign::FileFor(release.value(), kProgramArch);
  if (file == nullptr || blob.stat.size != file->size()) {
    return Failed(pb::COMMAND_FAILURE_BLOB_CORRUPT, "the fetched program has another size");
  }
  const std::string dir = std::string(run.state_dir) + "/" + std::string(kProgramsDir);
  if (mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return FailedErrno(errno, dir);
  return Stage(blob, dir, release.value().version());
}

}  // namespace holdfast::agent
