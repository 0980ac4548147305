#include "backend/cli/shell_words.h"

#include <algorithm>
#include <utility>

namespace holdfast::cli {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// What stands in the word that begins at `at`, which is moved behind it.
Result<std::string> TakeWord(std::string_view line, std::size_t& at) {
  std::string word;
  char quote = 0;
  for (; at < line.size() && (quote != 0 || !IsBlank(line[at])); ++at) {
    const char c = line[at];
    if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && quote != '\'') {
      if (at + 1 == line.size()) return Error{Code::kInvalid, "a backslash before nothing"};
      const char next = line[++at];
      if (quote == '"' && next != '"' && next != '\\') word += '\\';
      word += next;
    } else {
      word += c;
    }
  }
  if (quote != 0) return Error{Code::kInvalid, std::string("no closing ") + quote};
  return word;
}

}  // namespace

Result<ShellWords> SplitLine(std::string_view line) {
  ShellWords out;
  for (std::size_t at = 0; at < line.size();) {
    if (IsBlank(line[at])) {
      ++at;
      continue;
    }
    if (line[at] == '#') break;
    if (line[at] == '&' && line.find_first_not_of(" \t", at + 1) == std::string_view::npos) {
      out.in_background = true;
      break;
    }
    HF_ASSIGN_OR_RETURN(std::string word, TakeWord(line, at));
    out.words.push_back(std::move(word));
  }
  return out;
}

std::string ResolvePath(std::string_view cwd, std::string_view path) {
  std::string whole(path.starts_with('/') ? "" : cwd);
  whole += '/';
  whole += path;
  std::vector<std::string_view> parts;
  for (std::string_view rest = whole; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  std::string out;
  for (const std::string_view part : parts) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

std::string Quoted(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (IsBlank(c) || c == '\'' || c == '"' || c == '\\' || c == '#' || c == '&') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace holdfast::cli
