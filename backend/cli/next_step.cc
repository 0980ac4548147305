#include "backend/cli/next_step.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "echo hi | wc -c" as one word, or "|" among the words: only a shell understands these.
bool MeansAShell(const pb::ExecArgs& args) {
  if (args.argv_size() == 0) return false;
  if (args.argv(0).find_first_of(" |&;<>$`*") != std::string::npos) return true;
  for (const auto& word : args.argv()) {
    if (word == "|" || word == "&&" || word == "||" || word == ";" || word == ">") return true;
  }
  return false;
}

std::string_view LongerTime(const pb::Command& command) {
  const bool takes_it = command.has_query() || command.has_get() || command.has_exec() ||
                        command.has_find() || command.has_archive() || command.has_collect() ||
                        command.has_run() || command.has_cp() || command.has_mv() ||
                        command.has_rm() || command.has_tail() || command.has_memdump() ||
                        command.has_scan();
  return takes_it ? "--max-time allows it longer" : "";
}

}  // namespace

std::string NextStep(const pb::Command& command, pb::CommandFailure failure,
                     std::string_view message) {
  switch (failure) {
    case pb::COMMAND_FAILURE_CANNOT_EXECUTE:
      if (!command.has_exec() || !MeansAShell(command.exec())) return "";
      return "there is no shell unless you ask for one: -- sh -c 'COMMAND | COMMAND'";
    case pb::COMMAND_FAILURE_NOT_A_FILE:
      if (Has(message, "recursive was not asked for")) return "--recursive takes all that is in it";
      if (!Has(message, "directory") || command.has_put()) return "";
      return "to see what is in a directory: holdfast ls TARGET PATH";
    case pb::COMMAND_FAILURE_NO_SUCH_FILE:
      return command.has_mkdir() && !command.mkdir().parents()
                 ? "--parents makes those above it too"
                 : "";
    case pb::COMMAND_FAILURE_BAD_ARGUMENT:
      if (!Has(message, "File exists")) return "";
      if (command.has_mkdir() && !command.mkdir().parents()) {
        return "--parents takes a directory that is there";
      }
      if (!command.has_put() && !command.has_cp() && !command.has_mv()) return "";
      return "--overwrite replaces the file that is there";
    case pb::COMMAND_FAILURE_ROW_LIMIT:
      return "the rows above are the first ones; --max-rows allows more";
    case pb::COMMAND_FAILURE_WALL_LIMIT: return std::string(LongerTime(command));
    case pb::COMMAND_FAILURE_NOT_DELIVERED:
      return "--ttl says how long it may wait for an endpoint";
    default: return "";
  }
}

}  // namespace holdfast::cli
