#include "common/base/path_pattern.h"

#include <charconv>

namespace holdfast {
namespace {

constexpr std::size_t kMaxPatternBytes = 4096;
constexpr int kMaxGlobs = 32;

}  // namespace

bool IsGlobComponent(std::string_view component) {
  return component.find_first_of("*?[\\") != std::string_view::npos;
}

std::optional<unsigned> DepthOfComponent(std::string_view component) {
  if (!component.starts_with("**")) return std::nullopt;
  component.remove_prefix(2);
  if (component.empty()) return kUsualPatternDepth;
  if (component.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  unsigned depth = 0;
  const char* end = component.data() + component.size();
  const auto read = std::from_chars(component.data(), end, depth);
  return read.ec == std::errc() && depth <= kMaxPatternDepth ? depth : 0;
}

std::string PathPatternComplaint(std::string_view pattern) {
  std::string_view path = pattern;
  if (path.starts_with(kHomeMarker)) path.remove_prefix(kHomeMarker.size());
  if (path.empty() && !pattern.empty()) return "";  // the homes themselves
  if (!path.starts_with('/')) return "not an absolute path";
  if (pattern.size() > kMaxPatternBytes) return "more than 4096 bytes";
  if (path.find('\0') != std::string_view::npos) return "a NUL byte";
  if (path.find("%%") != std::string_view::npos) return "a placeholder that is not for Linux";
  std::string complaint;
  int deep = 0;
  int globs = 0;
  ForEachComponent(path, [&](std::string_view component) {
    if (component == "." || component == "..") complaint = "a component . or ..";
    const auto depth = DepthOfComponent(component);
    if (depth == 0U) complaint = "** goes 1 to 10 levels down";
    if (depth && ++deep > 1) complaint = "more than one **";
    if (IsGlobComponent(component) && ++globs > kMaxGlobs) complaint = "more than 32 wildcards";
  });
  return complaint;
}

}  // namespace holdfast
