#include "agent/tables/ini.h"

#include "agent/tables/text.h"

namespace holdfast::agent {

bool IniReader::Next() {
  std::string_view line;
  while (NextLine(rest_, line)) {
    line = Trim(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[' && line.back() == ']') {
      section_ = line.substr(1, line.size() - 2);
      continue;
    }
    const std::size_t equal = line.find('=');
    if (equal == std::string_view::npos) continue;
    key_ = Trim(line.substr(0, equal));
    value_ = Trim(line.substr(equal + 1));
    while (!value_.empty() && value_.back() == '\\' && NextLine(rest_, line)) {
      value_.back() = ' ';
      value_.append(Trim(line));
    }
    return true;
  }
  return false;
}

std::string IniValue(std::string_view text, std::string_view section, std::string_view key) {
  IniReader reader(text);
  while (reader.Next()) {
    if (reader.section() == section && reader.key() == key) return reader.value();
  }
  return {};
}

}  // namespace holdfast::agent
