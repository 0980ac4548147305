// Decompressors for small pieces: a field of systemd's journal. Simple before fast; dictionaries and checks of
// content (XXH64) are left out.
//
// Limits:    max_bytes of output: a piece that is larger is none.
// Threading: pure functions.
// Errors:    nullopt for what is no such piece, is cut, or needs a dictionary; no input aborts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

// A block of LZ4 (lz4_Block_format.md), without a frame.
std::optional<std::string> DecompressLz4(std::string_view in, std::size_t max_bytes);
// A frame of Zstandard (RFC 8878).
std::optional<std::string> DecompressZstd(std::string_view in, std::size_t max_bytes);

}  // namespace holdfast::agent
