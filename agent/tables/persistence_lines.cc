#include "agent/tables/persistence_lines.h"

#include <algorithm>

#include "agent/tables/text.h"

namespace holdfast::agent {

bool ReadWholeLine(std::string_view line, StartedByLine& out) {
  out.command = line;
  return true;
}

bool ReadLoaderVariable(std::string_view line, StartedByLine& out) {
  if (line.starts_with("export ")) line = Trim(line.substr(line.find(' ')));
  if (!line.starts_with("LD_")) return false;
  out.name = Trim(NextField(line, '='));
  out.command = line;
  return true;
}

bool ReadPamLine(std::string_view line, StartedByLine& out) {
  if (line.starts_with('@')) return false;  // @include: that file is read by itself
  const std::size_t module = line.find("pam_");
  const std::size_t path = line.find('/');
  const std::size_t at = module == std::string_view::npos ? path : std::min(module, path);
  if (at == std::string_view::npos) return false;
  out.command = Trim(line.substr(at));
  return true;
}

// From the first such key to the end of the line: there may be more of them.
bool ReadUdevLine(std::string_view line, StartedByLine& out) {
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (at > 0 && line[at - 1] != ' ' && line[at - 1] != ',' && line[at - 1] != '\t') continue;
    const std::string_view rest = line.substr(at);
    if (rest.starts_with("RUN") || rest.starts_with("PROGRAM") ||
        rest.starts_with("IMPORT{program}")) {
      out.command = rest;
      return true;
    }
  }
  return false;
}

bool ReadModprobeLine(std::string_view line, StartedByLine& out) {
  const std::string_view word = NextWord(line);
  if (word != "install" && word != "remove") return false;
  out.name = NextWord(line);
  out.command = Trim(line);
  return true;
}

bool ReadLoadedModule(std::string_view line, StartedByLine& out) {
  out.name = NextWord(line);
  return true;
}

bool ReadAnacronLine(std::string_view line, StartedByLine& out) {
  NextWord(line);  // period
  NextWord(line);  // delay
  out.name = NextWord(line);
  out.command = Trim(line);
  return !out.command.empty() && out.name.find('=') == std::string_view::npos;
}

bool ReadInittabLine(std::string_view line, StartedByLine& out) {
  out.name = NextField(line, ':');
  NextField(line, ':');  // run levels
  NextField(line, ':');  // action
  out.command = line;
  return !line.empty();
}

bool ReadAptHook(std::string_view line, StartedByLine& out) {
  const std::size_t at = line.find("Invoke");
  if (at == std::string_view::npos || line.starts_with("//")) return false;
  std::string_view rest = line.substr(at);
  NextField(rest, '"');
  out.name = Trim(line.substr(0, line.find_first_of(" \t{")));
  // A hook that is written over several lines is at least named.
  out.command = rest.substr(0, rest.rfind('"'));
  return true;
}

bool ReadDpkgHook(std::string_view line, StartedByLine& out) {
  if (!line.starts_with("pre-invoke") && !line.starts_with("post-invoke")) return false;
  out.name = Trim(NextField(line, '='));
  out.command = Trim(line);
  return true;
}

}  // namespace holdfast::agent
