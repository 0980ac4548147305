#include "agent/tables/mount_files.h"

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

std::string Unescape(std::string_view field) {
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const auto code = field[i] == '\\' ? ParseUint(field.substr(i + 1, 3), 8) : std::nullopt;
    if (code && *code <= 0xff && i + 3 < field.size()) {
      text.push_back(static_cast<char>(*code));
      i += 3;
    } else {
      text.push_back(field[i]);
    }
  }
  return text;
}

}  // namespace

std::optional<Mount> ParseMountLine(std::string_view line) {
  Mount mount;
  for (std::string* field : {&mount.device, &mount.path, &mount.type, &mount.options}) {
    *field = Unescape(NextWord(line));
  }
  if (mount.options.empty()) return std::nullopt;
  return mount;
}

}  // namespace holdfast::agent
