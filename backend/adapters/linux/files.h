// Small files, read and written whole.
//
// Errors:    the message names the file and the system's reason.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "backend/adapters/linux/unique_fd.h"
#include "common/base/result.h"

namespace holdfast::backend {

// kNotFound, kDenied or kInternal; kExhausted above max_bytes.
Result<std::string> ReadWholeFile(const std::string& path, std::size_t max_bytes);
// What errno says of `path`, as kUnavailable.
Error FileUnavailable(const std::string& path);
Status WriteAll(int fd, const std::string& path, std::string_view content);
// Readers see the old content or the new one, never a part. Mode 0600.
Status ReplaceFile(const std::string& path, std::string_view content);
// A file in memory alone, for a child to read as /proc/self/fd/N.
Result<UniqueFd> MemoryFile(std::string_view content);
// Which file this process runs, for as long as it runs: two that run the same say the same; one that was replaced on
// the disk meanwhile is another.
Result<std::string> OwnProgram();
// The directory, and those above it, with mode 0700 where they are new.
Status MakeDirectories(const std::string& path);
// Held until the descriptor is closed; the file says who holds it. kExists: somebody else does. A symbolic link is
// not followed.
Result<UniqueFd> LockFile(const std::string& path);
// The same lock on a file that is there, in which nothing is changed: for who is not its holder by profession.
// kNotFound: it is not there.
Result<UniqueFd> LockExistingFile(const std::string& path);

}  // namespace holdfast::backend
