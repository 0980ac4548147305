// holdfast-seed-client: the clients of the seed's experiment, for any server that speaks its protocol.
//
//   holdfast-seed-client rounds   --port N --clients 100,500,1000 [--requests 50] ...
//   holdfast-seed-client pingpong --port N --clients 1000 [--seconds 5]
//   holdfast-seed-client hold     --port N --clients 10000      until standard input ends
//
// One JSON line a row (docs/benchmarks/seed.md).
#include <csignal>
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include "tests/bench/seed/client/experiments.h"

namespace holdfast::bench {
namespace {

void AddOptions(CLI::App& app, Experiment& experiment) {
  app.add_option("--port", experiment.links.port, "of the server, on 127.0.0.1")->required();
  app.add_option("--clients", experiment.clients, "how many; of each round, rising")
      ->delimiter(',')
      ->required();
  app.add_option("--server-pids", experiment.server_pids, "whose processor time is counted")
      ->delimiter(',');
  app.add_option("--first-source", experiment.links.first_source,
                 "127.1.0.1 + N: several of these programs side by side take different ones");
}

Status Run(const CLI::App& rounds, const CLI::App& ping_pong, Experiment& experiment) {
  if (rounds.parsed()) return RunRounds(experiment);
  experiment.links.own_every_s = 0;
  return ping_pong.parsed() ? RunPingPong(experiment) : RunHold(experiment);
}

int Main(int argc, const char* const* argv) {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  Experiment experiment;
  CLI::App app("The clients of the seed's experiment", "holdfast-seed-client");
  app.require_subcommand(1);
  CLI::App* const rounds = app.add_subcommand("rounds", "all send all at once, in rounds");
  CLI::App* const ping_pong =
      app.add_subcommand("pingpong", "one request outstanding on each link");
  CLI::App* const hold = app.add_subcommand("hold", "one request each, then idle");
  for (CLI::App* const one : {rounds, ping_pong, hold}) AddOptions(*one, experiment);
  const auto positive = CLI::PositiveNumber;
  rounds->add_option("--requests", experiment.requests, "of each client in a round")
      ->check(positive);
  rounds->add_option("--repeat-last", experiment.repeat_last, "the last round so often in all");
  rounds->add_flag("--together", experiment.requests_together,
                   "one send() for all of a client's requests, not one each");
  rounds->add_option("--stall-seconds", experiment.stall_s,
                     "a count that stands still so long is over");
  rounds->add_option("--extra-seconds", experiment.extra_s, "so much longer at 90 % or less");
  rounds->add_option("--own-every", experiment.links.own_every_s,
                     "seconds between own messages; 0: none");
  ping_pong->add_option("--seconds", experiment.seconds, "how long it is measured")
      ->check(positive);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const Status done = Run(*rounds, *ping_pong, experiment);
  if (done.ok()) return 0;
  std::fprintf(stderr, "holdfast-seed-client: %s\n", done.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  try {
    return holdfast::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast-seed-client: %s\n", error.what());
    return 1;
  }
}
