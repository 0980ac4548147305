// Files of an analyst's machine: read whole with a limit, written whole or not at all.
//
// Limits:    ReadFile() refuses a file above max_bytes without reading it.
// Threading: pure functions of the file system.
// Errors:    kNotFound, kDenied, kExists, kExhausted (disk full, file too large), kInternal; the
//            message names the path and has the errno's text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "common/base/result.h"

namespace holdfast::sdk {

inline constexpr mode_t kSecretMode = 0600;
inline constexpr mode_t kPlainMode = 0644;
inline constexpr mode_t kDirMode = 0700;

// An Error for `errno` after doing something to a path.
Error FileError(const std::string& doing, const std::string& path, int error_number);

Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes);
// What a written file survives: the end of the machine, or only that of the program.
enum class Durability : std::uint8_t { kSynced, kProgram };
// Temporary file beside it, fsync, rename, fsync of the directory: afterwards the path holds the old
// or the new content, whatever happens meanwhile. Without the fsyncs for kProgram.
Status WriteFile(const std::string& path, std::string_view content, mode_t mode,
                 Durability durability = Durability::kSynced);
Status MakeDirs(const std::string& path, mode_t mode);  // with parents; existing ones are fine
Status SyncDir(const std::string& path);
Status RemoveFile(const std::string& path);  // a missing file is fine
// Names of the regular files in a directory, sorted; none if there is no such directory.
Result<std::vector<std::string>> ListFiles(const std::string& dir, std::size_t max_files);
bool Exists(const std::string& path);

}  // namespace holdfast::sdk
