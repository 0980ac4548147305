#include "backend/cli/shorthands.h"

namespace holdfast::cli {

std::vector<std::string> ArgvOf(const ProgramWord& word, const std::string& name) {
  std::vector<std::string> argv;
  for (const char* part : word.argv) {
    if (part != nullptr) argv.emplace_back(part);
  }
  if (word.argument != nullptr) argv.push_back(name);
  return argv;
}

std::string SqlOf(const Shorthand& shorthand, std::int32_t pid) {
  constexpr std::string_view kPid = "PID";
  std::string sql(shorthand.sql);
  if (shorthand.takes_pid) sql.replace(sql.rfind(kPid), kPid.size(), std::to_string(pid));
  return sql;
}

}  // namespace holdfast::cli
