// Sealed lines: a small record as text, "KEY VALUE" a line, that says whether it is whole.
//
//   HEAD
//   key value
//   crc 1a2b3c4d     CRC-32C of the lines above
//
// Threading: pure functions.
// Errors:    EachLine(): kCorrupt.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::agent {

inline std::string RecordLine(std::string_view key, std::string_view value) {
  return std::string(key) + " " + std::string(value) + "\n";
}
// `text`: the head and the lines.
std::string Sealed(std::string text);
// `head` with its end of line. `take` says whether the line makes sense.
Status EachLine(std::string_view text, std::string_view head,
                const std::function<bool(std::string_view key, std::string_view value)>& take);

std::optional<std::int64_t> RecordNumber(std::string_view text);
std::optional<Digest> RecordDigest(std::string_view hex);

}  // namespace holdfast::agent
