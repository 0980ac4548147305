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
    "  holdfastd --dir D scale N          let it go on with N gateways\n\n"
    "SIGTERM or SIGINT ends it in order; SIGHUP is reload, SIGUSR2 roll. Every key of F: "
    "docs/operations/configuration.md";

}  // namespace

Result<Arguments> ParseArguments(int argc, const char* const* argv) {
  Arguments out;
  std::string dir;
  std::string role;
  CLI::App app(kAbout, "holdfastd");
  app.set_version_flag("--version", "holdfastd " HOLDFAST_VERSION);
  app.add_option("--dir", dir, "fleet directory, the one given to `holdfast init`");
  app.add_option("--config", out.config_file, "configuration file, instead of --dir");
  // For the supervisor's own use; hidden from --help by their empty group.
  app.add_option("--role", role)->group("");
  app.add_option("--slot", out.identity.slot)->group("");
  app.add_option("--instance", out.identity.instance)->group("");
  CLI::App* const check = app.add_subcommand("check-config", "check a configuration file");
  check->add_option("--config", out.config_file, "configuration file");
  check->add_option("--dir", dir, "fleet directory");
  CLI::App* const reload = app.add_subcommand(
      "reload", "the holdfastd that runs reads its configuration again, and keeps its links");
  CLI::App* const roll = app.add_subcommand(
      "roll", "the holdfastd that runs restarts its processes one by one, serving all the while");
  std::string gateways;
  CLI::App* const scale =
      app.add_subcommand("scale", "the holdfastd that runs goes on with N gateways, until it ends");
  scale->add_option("N", gateways, "how many gateways")->required();
  for (CLI::App* const order : {reload, roll, scale}) {
    order->add_option("--config", out.config_file, "configuration file");
    order->add_option("--dir", dir, "fleet directory");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    out.command = Arguments::Command::kPrint;
    out.text = done.get_name() == "CallForVersion" ? std::string(done.what()) : app.help();
    return out;
  } catch (const CLI::ParseError& error) {
    return Error{Code::kInvalid, error.what()};
  }
  if (out.config_file.empty() && dir.empty()) {
    return Error{Code::kInvalid, "needs --dir D or --config F; holdfastd --help says more"};
  }
  if (out.config_file.empty()) out.config_file = dir + "/server/holdfastd.toml";
  if (check->parsed()) out.command = Arguments::Command::kCheckConfig;
  for (const CLI::App* const order : {reload, roll, scale}) {
    if (!order->parsed()) continue;
    out.command = Arguments::Command::kOrder;
    out.text = order->get_name();
  }
  if (scale->parsed()) {
    HF_ASSIGN_OR_RETURN(const std::uint32_t count, ParseGatewayCount(gateways));
    out.text += " " + std::to_string(count);
  }
  if (role.empty()) return out;
  out.command = Arguments::Command::kWorker;
  if (role == "gateway") {
    out.identity.role = WorkerRole::kGateway;
  } else if (role == "control") {
    out.identity.role = WorkerRole::kControl;
  } else {
    return Error{Code::kInvalid, "--role: gateway or control"};
  }
  return out;
}

}  // namespace holdfast::backend
