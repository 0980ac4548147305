// Grammar: the commands of the program and what may stand behind them, writing into one Options.
//
// Inside the command line only: arguments.h is what others use.
//
// Threading: one thread.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

#include "backend/cli/duration_text.h"
#include "backend/cli/options.h"

namespace holdfast::cli {

class Grammar {
 public:
  Grammar() : app_("Ask and command the endpoints of a fleet.", "holdfast") {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.set_help_flag("-h,--help", "Say what can be typed, and stop");
    app_.footer(
        "Exit status: 0 every target succeeded, 1 some failed, 2 usage, 3 the backend cannot be\n"
        "reached, 4 refused, 130 Ctrl-C (the job goes on).\n"
        "Output formats are documented in docs/cli-output.md.");
    AddGlobals();
    AddFleet();
    AddReads();
    AddTailAndArchive();
    AddCollections();
    AddFind();
    AddTimeline();
    AddShorthands();
    AddActs();
    AddChanges();
    AddRuns();
    AddMemory();
    AddCapture();
    AddScan();
    AddIsolation();
    AddProgramWords();
    AddLive();
    AddJobs();
    AddUpdates();
    AddOperators();
  }
  CLI::App& app() { return app_; }
  Options& options() { return options_; }
  // The innermost command that was named.
  Command Chosen() const {
    const CLI::App* app = &app_;
    for (auto subs = app->get_subcommands(); !subs.empty(); subs = app->get_subcommands()) {
      app = subs.front();
    }
    const auto found = commands_.find(app);
    return found == commands_.end() ? Command::kNone : found->second;
  }

 private:
  static constexpr char kEveryCommand[] =
      "Options of every command, such as -o FORMAT, --wait DUR, --ttl DUR and -y: holdfast --help";
  static constexpr char kTarget[] =
      "hostname, id or prefix of 4+ digits, label:K=V, all; or several, with commas";

  CLI::App* Add(CLI::App* parent, const std::string& name, const std::string& text,
                Command command) {
    CLI::App* sub = parent->add_subcommand(name, text);
    sub->fallthrough();
    sub->footer(kEveryCommand);
    commands_[sub] = command;
    return sub;
  }
  CLI::App* AddVerb(const std::string& name, const std::string& text, Command command) {
    CLI::App* sub = Add(&app_, name, text, command);
    sub->add_option("TARGET", options_.target, kTarget)->required();
    return sub;
  }
  static void AddNotes(CLI::App* app, const std::string& notes) {
    app->footer(notes + "\n" + kEveryCommand);
  }
  CLI::Option* AddDuration(CLI::App* app, const std::string& name,
                           std::function<void(Duration)> set, const std::string& text) {
    const auto parse = [set = std::move(set), name](const std::string& value) {
      const auto duration = ParseDuration(value);
      if (!duration) {
        throw CLI::ValidationError(name, "'" + value + "' is no duration (45s, 10m, 24h)");
      }
      set(*duration);
    };
    return app->add_option_function<std::string>(name, parse, text)->type_name("DUR");
  }
  void AddLabels(CLI::App* app, const std::string& text) {
    app->add_option("--label", options_.labels, text + "; may be repeated")
        ->type_name("K=V")
        ->allow_extra_args(false);
  }
  // CLI11 takes "-1" for the largest number there is.
  static std::string NotNegative(const std::string& text) {
    return text.starts_with('-') ? "cannot be less than 0" : "";
  }
  // "8MiB" and "8m" as well as 8388608: a K is 1024 everywhere.
  static CLI::Validator Size() {
    return CLI::Validator(
        [](std::string& text) -> std::string {
          // More digits than any size has; AsSizeValue would take what fits.
          constexpr std::size_t kMostDigits = 18;
          const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
          if (digits > kMostDigits) return text + " is more than anything holds";
          return CLI::AsSizeValue(false)(text);
        },
        "");
  }
  // Of numbers where nothing typed already says "all": a 0 is somebody's mistake.
  static std::string AtLeastOne(const std::string& text) {
    const bool is_none = text.find_first_not_of('0') == std::string::npos;
    return is_none || text.starts_with('-') ? "must be 1 or more; leave it out for all" : "";
  }
  void AddLimits(CLI::App* app) {
    app->add_option("--max-bytes", options_.max_bytes,
                    "Most output; more is the failure OUTPUT_LIMIT")
        ->check(AtLeastOne)
        ->transform(Size())
        ->type_name("BYTES");
    AddMaxTime(app);
  }
  CLI::Option* AddMaxRows(CLI::App* app) {
    return app
        ->add_option("--max-rows", options_.max_rows,
                     "Most rows; more is the failure ROW_LIMIT, with the first ones printed")
        ->type_name("N");
  }
  // Alone for what answers with a row for each path: a bound on that would only fail what was done.
  void AddMaxTime(CLI::App* app) {
    AddDuration(
        app, "--max-time", [this](Duration d) { options_.max_time = d; },
        "End it on the endpoint after this long");
  }

  // Of what starts programs: of all of them together.
  void AddProgramLimits(CLI::App* app) {
    AddLimits(app);
    app->add_option("--max-memory", options_.max_memory,
                    "Most memory of all its processes together; more is the failure MEMORY_LIMIT "
                    "(default: 512MiB)")
        ->transform(Size())
        ->type_name("BYTES");
    app->add_option("--max-processes", options_.max_processes,
                    "Most processes at once; more is the failure PROCESS_LIMIT (default: 512)")
        ->check(AtLeastOne)
        ->type_name("N");
  }

  // Of what looks through a machine.
  void AddPace(CLI::App* app) {
    app->add_option("--cpu", options_.cpu_percent,
                    "Take at most this share of one core (default: 10; 100: all of it)")
        ->type_name("PERCENT")
        ->check(CLI::Range(1, 100).description(""));
    app->add_option("--disk-rate", options_.disk_bytes_per_s,
                    "Read at most this much from disks in a second (default: 32 MiB)")
        ->transform(Size())
        ->type_name("BYTES");
  }

  // Where what is fetched goes: `usual` is its name below DIR.
  void AddLocalFile(CLI::App* app, const std::string& usual) {
    app->add_option("-d,--into", options_.local_dir,
                    "Directory to write to, as " + usual + " (default: here)")
        ->type_name("DIR");
    app->add_option("--as", options_.local_file, "Write exactly this file (one target only)")
        ->type_name("FILE");
    app->add_flag("--force", options_.force, "Replace the file of --as if it is there");
  }
  void AddMoments(CLI::App* app) {
    app->add_option("--newer", options_.find.newer,
                    "Changed since then: 2h (ago), 2026-11-30, 2026-11-30T12:00:00 (UTC)")
        ->type_name("TIME");
    app->add_option("--older", options_.find.older, "Changed before then")->type_name("TIME");
  }
  void AddPath(CLI::App* app) {
    app->add_option("PATH", options_.path, "Absolute path on the endpoint")->required();
  }
  void AddPaths(CLI::App* app) {
    app->add_option("PATH", options_.paths, "Absolute paths on the endpoint, at most 64")
        ->required();
  }
  void AddSurroundings(CLI::App* app) {
    app->add_option("--cwd", options_.cwd, "Directory to run in (default: /)")->type_name("PATH");
    app->add_option("--env", options_.env, "Add to the environment; may be repeated")
        ->type_name("K=V")
        ->allow_extra_args(false);
  }

  void AddGlobals();
  void AddFleet();
  void AddReads();
  void AddTailAndArchive();
  void AddCollections();
  void AddFind();
  void AddTimeline();
  void AddShorthands();
  void AddActs();
  void AddChanges();
  void AddRuns();
  void AddMemory();
  void AddCapture();
  void AddScan();
  void AddIsolation();
  void AddProgramWords();
  void AddLive();
  void AddJobs();
  void AddUpdates();
  void AddRollouts(CLI::App* update);
  void AddOperators();

  Options options_;
  std::map<const CLI::App*, Command> commands_;
  CLI::App app_;
};

}  // namespace holdfast::cli
