#include "agent/tables/stanzas.h"

#include "agent/tables/text.h"

namespace holdfast::agent {

bool NextStanza(std::string_view& rest, std::string_view& stanza) {
  while (rest.starts_with('\n')) rest.remove_prefix(1);
  if (rest.empty()) return false;
  const std::size_t end = rest.find("\n\n");
  stanza = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 2);
  return true;
}

std::string_view StanzaValue(std::string_view stanza, std::string_view key) {
  const std::string_view whole = stanza;
  std::string_view line;
  while (NextLine(stanza, line)) {
    if (line.size() <= key.size() || line[key.size()] != ':') continue;
    if (LowerCase(line.substr(0, key.size())) != LowerCase(key)) continue;
    const auto from = static_cast<std::size_t>(line.data() - whole.data()) + key.size() + 1;
    std::size_t to = from + line.size() - key.size() - 1;
    while (stanza.starts_with(' ') || stanza.starts_with('\t')) {
      NextLine(stanza, line);
      to = static_cast<std::size_t>(line.data() + line.size() - whole.data());
    }
    return Trim(whole.substr(from, to - from));
  }
  return {};
}

}  // namespace holdfast::agent
