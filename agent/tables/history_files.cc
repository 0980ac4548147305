#include "agent/tables/history_files.h"

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

// zsh: ": 1700000000:0;command".
bool TakeZshTime(std::string_view& line, std::int64_t& time) {
  std::string_view rest = line;
  if (!rest.starts_with(": ")) return false;
  rest.remove_prefix(2);
  const auto at = ParseInt(Trim(NextField(rest, ':')));
  if (!at || !ParseUint(rest.substr(0, rest.find(';')))) return false;
  NextField(rest, ';');
  time = *at;
  line = rest;
  return true;
}

// fish writes a newline as \n and a backslash as two.
std::string WithoutFishEscapes(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 1 < text.size();
    if (escape) ++i;
    plain.push_back(escape && text[i] == 'n' ? '\n' : text[i]);
  }
  return plain;
}

}  // namespace

bool HistoryReader::Next(HistoryEntry& entry) {
  entry = {};
  if (format_ == HistoryFormat::kFish) return NextFish(entry);
  if (format_ == HistoryFormat::kShell) return NextShell(entry);
  std::string_view line;
  if (!NextLine(rest_, line)) return false;
  entry.command = line;
  return true;
}

bool HistoryReader::NextShell(HistoryEntry& entry) {
  std::string_view line;
  if (!NextLine(rest_, line)) return false;
  if (line.size() > 1 && line.front() == '#' && !rest_.empty()) {
    if (const auto time = ParseUint(line.substr(1))) {
      entry.time = static_cast<std::int64_t>(*time);
      NextLine(rest_, line);
    }
  }
  const bool zsh = entry.time == 0 && TakeZshTime(line, entry.time);
  entry.command = line;
  // zsh goes on in the next line after a '\'.
  while (zsh && !entry.command.empty() && entry.command.back() == '\\' && NextLine(rest_, line)) {
    entry.command.back() = '\n';
    entry.command.append(line);
  }
  return true;
}

bool HistoryReader::NextFish(HistoryEntry& entry) {
  constexpr std::string_view kCommand = "- cmd: ";
  constexpr std::string_view kWhen = "  when: ";
  std::string_view line;
  do {
    if (!NextLine(rest_, line)) return false;
  } while (!line.starts_with(kCommand));
  entry.command = WithoutFishEscapes(line.substr(kCommand.size()));
  while (!rest_.empty() && !rest_.starts_with(kCommand)) {
    NextLine(rest_, line);
    if (line.starts_with(kWhen)) entry.time = ParseInt(line.substr(kWhen.size())).value_or(0);
  }
  return true;
}

}  // namespace holdfast::agent
