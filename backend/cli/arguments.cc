#include "backend/cli/arguments.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

#include "backend/cli/grammar.h"
#include "common/base/edit_distance.h"

namespace holdfast::cli {
namespace {

constexpr int kUsage = 2;

}  // namespace

void Grammar::AddGlobals() {
  app_.add_option("--dir", options_.dir,
                  "The fleet's directory (else HOLDFAST_DIR, else a profile)")
      ->type_name("DIR");
  app_.add_option("--profile", options_.profile,
                  "A profile of ~/.config/holdfast/config.toml instead of --dir")
      ->type_name("NAME");
  app_.add_option("--operator", options_.operator_name, "Sign as this operator")->type_name("NAME");
  const auto set_format = [this](const std::string& value) {
    static const std::map<std::string, Format> formats = {{"table", Format::kTable},
                                                          {"json", Format::kJson},
                                                          {"jsonl", Format::kJsonl},
                                                          {"csv", Format::kCsv}};
    if (value == "-") {
      options_.to_pipe = true;
      return;
    }
    const auto found = formats.find(value);
    if (found == formats.end()) {
      throw CLI::ValidationError("--output", "'" + value + "' is none of table, json, jsonl, csv");
    }
    options_.format = found->second;
    options_.format_given = true;
  };
  app_.add_option_function<std::string>("-o,--output", set_format,
                                        "How to print: table, json, jsonl or csv")
      ->type_name("FORMAT");
  AddDuration(
      &app_, "--wait", [this](Duration d) { options_.wait = d; },
      "Wait this long for the answer; 0 returns at once (default: until it is there)");
  AddDuration(
      &app_, "--ttl", [this](Duration d) { options_.ttl = d; },
      "How long it may wait for an endpoint (default: 24h; what acts there 1h); never beyond the "
      "end of the operator's certificate");
  app_.add_option("--case", options_.case_id, "A case's number, for the audit")->type_name("TEXT");
  app_.add_option("--reason", options_.reason, "Why, for the audit")->type_name("TEXT");
  app_.add_flag("-y,--yes", options_.yes, "Do not ask");
  AddDuration(
      &app_, "--timeout", [this](Duration d) { options_.timeout = d; },
      "Give up when the backend does not answer for this long (default: 30s)");
}

void Grammar::AddFleet() {
  CLI::App* init = Add(&app_, "init", "Make a new fleet in --dir: keys, policy, TLS, configuration",
                       Command::kInit);
  sdk::InitOptions& o = options_.init;
  init->add_option("--server", o.server, "Where agents connect (default: wss://localhost:8443)")
      ->type_name("URL");
  init->add_option("--api", o.api,
                   "Where the tools connect; a host that is not localhost opens that port to other "
                   "machines (default: wss://localhost:8444)")
      ->type_name("URL");
  init->add_option("--admin", o.admin, "Listener of /metrics (default: 127.0.0.1:8445)")
      ->type_name("HOST:PORT");
  init->add_option("--name", o.name, "The fleet's name, for people")->type_name("NAME");
  init->add_option("--roots", o.roots, "How many root keys (default: 3)")->type_name("N");
  init->add_option("--threshold", o.threshold, "How many must sign a policy (default: 2)")
      ->type_name("N");
  init->add_option("--act-max-targets", o.act_max_targets,
                   "Most targets of one command that acts, such as exec (default: 10)")
      ->type_name("N");

  init->add_option("--limit", o.limits,
                   "What commands of a class take unless their signer says otherwise, and the most "
                   "that he may say: "
                   "act.memory=1GiB..4GiB, read.cpu=5..20, act.time=10m. Limits: time, cpu-time, "
                   "bytes, memory, "
                   "rows, cpu (percent of a core), disk-rate, processes")
      ->type_name("CLASS.LIMIT=DEFAULT[..MOST]");

  CLI::App* enrol = Add(&app_, "enrol", "Let endpoints in", Command::kNone);
  enrol->require_subcommand(1);
  CLI::App* token =
      Add(enrol, "token", "Print a bundle that `holdfast-agent enrol` takes", Command::kEnrolToken);
  token->add_option("--uses", options_.uses, "How many endpoints it lets in (default: 1)")
      ->type_name("N");
  AddLabels(token, "Label of the endpoints that use it");
  AddNotes(
      token,
      "The bundle holds a secret: whoever has it can add an endpoint. --ttl says for how long\n"
      "(default: 24h).\n"
      "  holdfast enrol token --uses 20 --label site=north > north.bundle");

  CLI::App* agents = Add(&app_, "agents", "List the endpoints", Command::kAgents);
  agents->add_flag("--online", options_.online, "Only those that are connected now");
  AddLabels(agents, "Only those with this label");
  CLI::App* remove =
      Add(agents, "rm", "Remove an endpoint for good: its identity is never accepted again",
          Command::kAgentsRemove);
  remove->add_option("TARGET", options_.target, kTarget)->required();
}

void Grammar::AddJobs() {
  CLI::App* jobs = Add(&app_, "jobs", "List commands, newest first", Command::kJobs);
  jobs->add_option("--limit", options_.limit, "How many (default: 50)")->type_name("N");
  jobs->add_flag("--open", options_.open_only, "Only those that have not ended");
  CLI::App* job = Add(&app_, "job", "What became of a command, step by step", Command::kJob);
  job->add_option("ID", options_.path, "The job's id, or a prefix of 4+ digits")->required();
  CLI::App* results =
      Add(&app_, "results", "The answers of a command that was sent before", Command::kResults);
  results->add_option("ID", options_.path, "The job's id, or a prefix of 4+ digits")->required();
  results
      ->add_option("-d,--into", options_.local_dir, "Where the files of a `get` go (default: here)")
      ->type_name("DIR");
  CLI::App* cancel = Add(&app_, "cancel", "End a command that has not ended", Command::kCancel);
  cancel->add_option("ID", options_.path, "The job's id, or a prefix of 4+ digits")->required();
  CLI::App* pending =
      Add(&app_, "pending", "Signed commands of which nobody knows whether they arrived",
          Command::kPending);
  pending->add_flag("--send", options_.send, "Send them again: what had arrived is not run twice");
  CLI::App* audit = Add(&app_, "audit", "The record of what was done", Command::kAudit);
  audit->add_flag("--verify", options_.verify,
                  "Check that no record was changed, cut out or added");
  audit->add_option("--job", options_.path, "Only records about this job")->type_name("ID");
  audit->add_option("--limit", options_.limit, "Only the last so many")->type_name("N");
}

void Grammar::AddOperators() {
  CLI::App* who = Add(&app_, "operator", "Who may command", Command::kNone);
  who->require_subcommand(1);
  const auto add_ttl = [this](CLI::App* app) {
    AddDuration(
        app, "--cert-ttl", [this](Duration d) { options_.cert_ttl = d; },
        "Life of the certificate (default: 12h, at most 24h)");
    app->add_option(
           "--class", options_.classes,
           "What it may sign: a class of the policy, such as read, act, shell, pty; may be "
           "repeated (default: all; renewed: those of before)")
        ->type_name("CLASS")
        ->allow_extra_args(false);
  };
  CLI::App* add = Add(who, "add", "Make a key and a certificate", Command::kOperatorAdd);
  add->add_option("NAME", options_.name, "The operator's name")->required();
  add_ttl(add);
  CLI::App* renew =
      Add(who, "renew", "Make a new certificate for a key that is there", Command::kOperatorRenew);
  renew->add_option("NAME", options_.name, "The operator's name (default: fleet.toml's)");
  add_ttl(renew);
  Add(who, "list", "Operators of this directory and until when they may sign",
      Command::kOperatorList);
  Add(&app_, "version", "Print the version", Command::kVersion);
  CLI::App* completion =
      Add(&app_, "completion", "Print a completion script", Command::kCompletion);
  completion->add_option("SHELL", options_.name, "bash, zsh or fish")->required();
}

namespace {

// CLI11 says "Could not convert: --max-rows = x".
std::string WordsOf(const CLI::ParseError& why) {
  constexpr std::string_view kConvert = "Could not convert: ";
  std::string text = why.what();
  const std::size_t equals = text.find(" = ");
  if (!text.starts_with(kConvert) || equals == std::string::npos) return text;
  const std::string option = text.substr(kConvert.size(), equals - kConvert.size());
  return option + ": '" + text.substr(equals + 3) + "' is no number that it takes";
}

// "; did you mean query?", or nothing.
std::string DidYouMean(Grammar& grammar, const std::string& word) {
  constexpr std::size_t kLongest = 32;  // no command is longer
  if (word.size() > kLongest) return "";
  NearestWord near(word);
  for (const CLI::App* sub : grammar.app().get_subcommands([](const CLI::App*) { return true; })) {
    near.Look(sub->get_name());
  }
  return near.found().empty() ? "" : "; did you mean " + near.found() + "?";
}

// Parses; nullopt when Options are filled, else the exit status.
std::optional<int> Parse(Grammar& grammar, const std::vector<std::string>& words) {
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());  // as CLI11 wants them
    grammar.app().parse(reversed);
    return std::nullopt;
  } catch (const CLI::CallForHelp& why) {
    grammar.app().exit(why);
    return 0;
  } catch (const CLI::ParseError& why) {
    const bool no_command = grammar.app().get_subcommands().empty() &&
                            why.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
    const auto unknown = grammar.app().remaining(/*recurse=*/true);
    if (no_command && !unknown.empty()) {
      std::fprintf(stderr, "holdfast: there is no command '%s'%s\n", unknown.front().c_str(),
                   DidYouMean(grammar, unknown.front()).c_str());
    } else if (grammar.Chosen() == Command::kExec && !grammar.options().target.empty() &&
               !unknown.empty()) {
      std::fprintf(stderr, "holdfast: put -- before the program: holdfast exec %s -- %s\n",
                   grammar.options().target.c_str(), unknown.front().c_str());
    } else {
      std::fprintf(stderr, "holdfast: %s\n", no_command ? "which command?" : WordsOf(why).c_str());
    }
    std::string name = "holdfast";
    for (const CLI::App* sub : grammar.app().get_subcommands()) name += " " + sub->get_name();
    std::fprintf(stderr, "Type: %s --help\n", name.c_str());
    return kUsage;
  }
}

void Describe(const CLI::App& app, const std::string& name, std::vector<CommandHelp>& out) {
  CommandHelp help{name, app.get_description(), app.get_footer(), {}};
  for (const CLI::Option* option : app.get_options()) {
    const bool positional = option->get_lnames().empty() && option->get_snames().empty();
    const bool takes_value = !positional && option->get_items_expected_max() > 0;
    help.options.push_back({option->get_name(positional, !positional),
                            takes_value ? option->get_type_name() : "", option->get_description(),
                            positional});
  }
  out.push_back(std::move(help));
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    Describe(*sub, name.empty() ? sub->get_name() : name + " " + sub->get_name(), out);
  }
}

}  // namespace

std::variant<Options, int> ParseArguments(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto mark = std::find(words.begin(), words.end(), "--");
  const std::vector<std::string> before(words.begin(), mark);
  // CLI11 would take "[a]" or a second "--" of the endpoint's argv for its own.
  const bool is_exec = std::ranges::any_of(before, [](const std::string& word) {
    return word == "exec" || word == "run" || word == "runscript" || word == "pty";
  });
  const auto grammar = std::make_unique<Grammar>();
  if (const auto status = Parse(*grammar, is_exec ? before : words)) return *status;
  Options options = std::move(grammar->options());
  options.command = grammar->Chosen();
  if (options.to_pipe && options.command != Command::kCapture) {
    std::fputs("holdfast: only capture can write to -; the formats are table, json, jsonl, csv\n",
               stderr);
    return kUsage;
  }
  const bool takes_argv = options.command == Command::kExec || options.command == Command::kRun ||
                          options.command == Command::kPty;
  if (!takes_argv) return options;
  if (is_exec && mark != words.end()) options.argv.assign(mark + 1, words.end());
  if (options.argv.empty() && options.command == Command::kExec) {
    std::fputs("holdfast: exec needs a program: holdfast exec TARGET -- PROGRAM [ARGUMENT...]\n",
               stderr);
    return kUsage;
  }
  return options;
}

std::vector<CommandHelp> DescribeCommands() {
  const auto grammar = std::make_unique<Grammar>();
  std::vector<CommandHelp> out;
  Describe(grammar->app(), "", out);
  return out;
}

}  // namespace holdfast::cli
