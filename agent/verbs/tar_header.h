// TarHeader: what stands before a member of a POSIX archive (ustar; a pax header before it where ustar
// has no room for a value).
//
//   TarHeader(member), stat.size bytes, TarPadding(stat.size) ... kTarEnd
//
// Names are written as they are, whatever their bytes: a reader takes them as the file system did.
//
// Limits:    a header is a multiple of kTarBlockBytes; it grows with the lengths of name and target.
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/tables/machine.h"

namespace holdfast::agent {

inline constexpr std::size_t kTarBlockBytes = 512;
inline constexpr std::size_t kTarEndBytes = 2 * kTarBlockBytes;  // zeros

struct TarMember {
  std::string_view name;    // relative; a directory's ends in "/"
  std::string_view target;  // of a symbolic link
  std::string_view user;    // may be empty
  std::string_view group;
  FileStat stat;  // size counts for regular files only
};

// Empty for what an archive cannot hold: a socket.
std::string TarHeader(const TarMember& member);
// Zeros that follow `bytes` of content.
std::size_t TarPadding(std::uint64_t bytes);

}  // namespace holdfast::agent
