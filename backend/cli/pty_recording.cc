#include "backend/cli/pty_recording.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "backend/sdk/files.h"

namespace holdfast::cli {

Result<std::unique_ptr<CastFile>> CastFile::Create(const std::string& directory,
                                                   const std::string& name) {
  HF_TRY(sdk::MakeDirs(directory, sdk::kDirMode));
  constexpr int kMostNumbers = 1000;
  for (int number = 1; number <= kMostNumbers; ++number) {
    std::string path = directory + "/" + name;
    if (number > 1) path += "." + std::to_string(number);
    path += ".cast";
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          sdk::kSecretMode);
    if (fd >= 0) return std::unique_ptr<CastFile>(new CastFile(fd, std::move(path)));
    if (errno != EEXIST) return sdk::FileError("writing", path, errno);
  }
  return Error{Code::kExists, directory + " holds a thousand recordings of this terminal"};
}

CastFile::~CastFile() { ::close(fd_); }

Status CastFile::Append(std::string_view text) {
  while (!text.empty()) {
    const auto wrote = ::write(fd_, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return sdk::FileError("writing", path_, errno);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return Ok();
}

Status CastFile::Sync() {
  return ::fdatasync(fd_) == 0 ? Ok() : sdk::FileError("writing", path_, errno);
}

}  // namespace holdfast::cli
