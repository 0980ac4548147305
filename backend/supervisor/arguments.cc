#include "backend/supervisor/arguments.h"

#include <CLI/CLI.hpp>

#include "backend/core/scale.h"

namespace holdfast::backend {
namespace {

constexpr char kAbout[] =
    "holdfastd: the backend of Holdfast.\n\n"
    "  holdfastd --dir D                  run the fleet that `holdfast init --dir D` made\n"
    "  holdfastd --config F               the same, by its configuration file\n"
    "  holdfastd check-config --config F  say what is wrong with F, and end\n"
    "  holdfastd --dir D reload           let the one that runs read its configuration again\n"
    "  holdfastd --dir D roll             let it restart its processes one by one, serving all the "
    "while\n"
    "  holdfastd --dir D scale N          let it go on with N gateways\n"
    "  holdfastd backup --dir D FILE      copy all that it knows into FILE, also while it runs\n"
    "  holdfastd restore FILE --dir D     make D from such a copy\n"
    "  holdfastd migrate-store --help     take its record to another database, while it does not "
    "run\n\n"
    "SIGTERM or SIGINT ends it in order; SIGHUP is reload, SIGUSR2 roll. Every key of F: "
    "docs/operations/configuration.md";

// What is on the line beside the words' own values.
struct Line {
  std::string dir, role, gateways;
  CLI::App* check = nullptr;
  CLI::App* reload = nullptr;
  CLI::App* roll = nullptr;
  CLI::App* scale = nullptr;
  CLI::App* backup = nullptr;
  CLI::App* restore = nullptr;
  CLI::App* migrate = nullptr;
};

void AddOptions(CLI::App& app, Arguments& out, Line& line) {
  app.set_version_flag("--version", "holdfastd " HOLDFAST_VERSION);
  app.add_option("--dir", line.dir, "fleet directory, the one given to `holdfast init`");
  app.add_option("--config", out.config_file, "configuration file, instead of --dir");
  // For the supervisor's own use; hidden from --help by their empty group.
  app.add_option("--role", line.role)->group("");
  app.add_option("--slot", out.identity.slot)->group("");
  app.add_option("--instance", out.identity.instance)->group("");
}

void AddWords(CLI::App& app, Arguments& out, Line& line) {
  line.check = app.add_subcommand("check-config", "check a configuration file");
  line.reload = app.add_subcommand(
      "reload", "the holdfastd that runs reads its configuration again, and keeps its links");
  line.roll = app.add_subcommand(
      "roll", "the holdfastd that runs restarts its processes one by one, serving all the while");
  line.scale =
      app.add_subcommand("scale", "the holdfastd that runs goes on with N gateways, until it ends");
  line.scale->add_option("N", line.gateways, "how many gateways")->required();
  line.backup =
      app.add_subcommand("backup", "copy ledger, results and configuration into one file");
  line.backup->add_option("FILE", out.text, "tar archive to make; -: standard output")->required();
  line.migrate =
      app.add_subcommand("migrate-store", "copy the record into another database, and compare");
  line.migrate
      ->add_option("--to", out.text,
                   "a PostgreSQL as store.url names it, or `file`: ledger.db in state.dir")
      ->required();
  for (CLI::App* const word :
       {line.check, line.reload, line.roll, line.scale, line.backup, line.migrate}) {
    word->add_option("--config", out.config_file, "configuration file");
    word->add_option("--dir", line.dir, "fleet directory");
  }
  line.restore = app.add_subcommand("restore", "make a fleet directory's server/ from a backup");
  line.restore->add_option("FILE", out.restore.file, "what `backup` made; -: standard input")
      ->required();
  line.restore->add_option("--dir", line.dir, "fleet directory");
  line.restore->add_flag("--replace", out.restore.replace, "move aside what is there, and keep it");
  line.restore->add_option("--state", out.restore.state,
                           "the backup's state.dir, where that lies outside of D");
  line.restore->add_flag("--check", out.restore.check_only,
                         "read it and compare every hash; put nothing anywhere");
}

Status TakeRole(const std::string& role, Arguments& out) {
  out.command = Arguments::Command::kWorker;
  if (role == "gateway") {
    out.identity.role = WorkerRole::kGateway;
  } else if (role == "control") {
    out.identity.role = WorkerRole::kControl;
  } else {
    return Error{Code::kInvalid, "--role: gateway or control"};
  }
  return Ok();
}

}  // namespace

Result<Arguments> ParseArguments(int argc, const char* const* argv) {
  Arguments out;
  Line line;
  CLI::App app(kAbout, "holdfastd");
  AddOptions(app, out, line);
  AddWords(app, out, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    out.command = Arguments::Command::kPrint;
    out.text = done.get_name() == "CallForVersion" ? std::string(done.what()) : app.help();
    return out;
  } catch (const CLI::ParseError& error) {
    return Error{Code::kInvalid, error.what()};
  }
  if (line.restore->parsed()) {
    out.command = Arguments::Command::kRestore;
    out.restore.dir = line.dir;
    if (!line.dir.empty() || out.restore.check_only) return out;
    return Error{Code::kInvalid, "restore needs --dir D, where to, or --check"};
  }
  if (out.config_file.empty() && line.dir.empty()) {
    return Error{Code::kInvalid, "needs --dir D or --config F; holdfastd --help says more"};
  }
  if (out.config_file.empty()) out.config_file = line.dir + "/server/holdfastd.toml";
  if (line.check->parsed()) out.command = Arguments::Command::kCheckConfig;
  if (line.backup->parsed()) out.command = Arguments::Command::kBackup;
  if (line.migrate->parsed()) out.command = Arguments::Command::kMigrateStore;
  for (const CLI::App* const order : {line.reload, line.roll, line.scale}) {
    if (!order->parsed()) continue;
    out.command = Arguments::Command::kOrder;
    out.text = order->get_name();
  }
  if (line.scale->parsed()) {
    HF_ASSIGN_OR_RETURN(const std::uint32_t count, ParseGatewayCount(line.gateways));
    out.text += " " + std::to_string(count);
  }
  if (!line.role.empty()) HF_TRY(TakeRole(line.role, out));
  return out;
}

}  // namespace holdfast::backend
