// holdfast init
#include "backend/cli/commands.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/server_url.h"

namespace holdfast::cli {
namespace {

// As a word of a shell's command line.
std::string ShellWord(const std::string& word) {
  if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "/._-+=:@,") == std::string::npos) {
    return word;
  }
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

int RunInit(const Call& call) {
  sdk::InitOptions options = call.options.init;
  options.dir = call.options.dir;
  if (options.dir.empty()) {
    call.console.Say("init makes a new directory; say which: holdfast init --dir DIR");
    return kExitUsage;
  }
  auto made = sdk::InitFleet(call.crypto, options, sdk::WallNow());
  if (!made.ok()) {
    const bool exists = made.error().code == Code::kExists;
    const int status = call.console.Fail(made.error());
    return exists ? kExitRefused : status;
  }
  const sdk::NewFleet& fleet = made.value();
  const std::string& dir = fleet.paths.dir;
  const std::string reach =
      fleet.api_is_open ? ", open to other machines" : ", from this machine only";
  std::string hosts;
  for (const auto& host : fleet.hosts) hosts += (hosts.empty() ? "" : ", ") + host;
  call.console.Out("Fleet " + fleet.toml.id.hex() + " (" + fleet.toml.name + ") is in " + dir +
                   "\n"
                   "  agents connect to     " +
                   fleet.toml.servers.front() +
                   "\n"
                   "  tools connect to      " +
                   fleet.toml.api + reach +
                   "\n"
                   "  certificate names     " +
                   hosts +
                   "\n"
                   "  TLS CA until          " +
                   FormatTime(fleet.ca_not_after) +
                   "\n"
                   "  TLS server until      " +
                   FormatTime(fleet.server_not_after) +
                   "\n"
                   "  policy until          " +
                   FormatTime(fleet.policy_not_after) +
                   "\n"
                   "  operator '" +
                   fleet.toml.operator_name + "'    certificate until " +
                   FormatTime(fleet.operator_not_after) +
                   ", renewed by itself here\n"
                   "\nKeep offline, away from the backend: " +
                   ShellWord(dir + "/offline") + " and " + ShellWord(dir + "/tls/ca.key") +
                   ".\n"
                   "Take away from the backend host if others use it: " +
                   ShellWord(dir + "/issuer") + ".\n");
  if (fleet.toml.servers.front().starts_with("ws://")) {
    call.console.Say("this fleet uses plain ws://: no TLS, anyone on the way reads along");
  }
  call.console.Out(
      "\nNext:\n"
      "  holdfastd --dir " +
      ShellWord(dir) +
      "\n"
      "  holdfast --dir " +
      ShellWord(dir) +
      " enrol token > agent.bundle\n"
      "  holdfast-agent enrol --bundle agent.bundle --state ./endpoint && "
      "holdfast-agent run --state ./endpoint\n");
  return kExitOk;
}

}  // namespace holdfast::cli
