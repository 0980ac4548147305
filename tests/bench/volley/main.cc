// holdfast-volley: many signed commands through everything, for the measurements at scale.
//
//   holdfast-volley --dir FLEET --simulation FILE [--window N]
//   stdin, a line each:
//     run FIRST STRIDE COUNT                   one command each to agents FIRST, FIRST + STRIDE, ...
//     rate FIRST STRIDE COUNT PER_SECOND SECONDS   so many a second to these in turn, answered or not
//     hunt FIRST STRIDE COUNT                  one command to all of them
//   stdout: {"count":500,"failed":0,"seconds":0.61,"p50_ms":9.1,"p99_ms":17.3,"max_ms":19.0,"problem":""}
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "backend/sdk/clock.h"
#include "backend/sdk/fleet.h"
#include "backend/sdk/server_url.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "tests/bench/volley/shooter.h"

namespace holdfast::bench {
namespace {

constexpr Duration kLoginTime = std::chrono::seconds(60);

struct Arguments {
  std::string dir;
  std::string simulation;
  std::size_t window = kMaxWindow;
};

double At(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

void Print(Outcome outcome, double seconds) {
  std::sort(outcome.took_ms.begin(), outcome.took_ms.end());
  for (char& c : outcome.problem) {
    if (c < ' ' || c == '"' || c == '\\') c = ' ';
  }
  std::printf(
      "{\"count\":%zu,\"failed\":%zu,\"seconds\":%.3f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,"
      "\"p99_ms\":%.3f,\"max_ms\":%.3f,\"problem\":\"%s\"}\n",
      outcome.took_ms.size(), outcome.failed, seconds, At(outcome.took_ms, 0.5),
      At(outcome.took_ms, 0.9), At(outcome.took_ms, 0.99), At(outcome.took_ms, 1),
      outcome.problem.c_str());
  std::fflush(stdout);
}

Status Obey(const std::string& line, Shooter& shooter, sdk::ApiConnection& api) {
  std::istringstream words(line);
  std::string verb;
  Targets targets;
  double per_second = 0;
  std::int64_t length = 0;
  words >> verb >> targets.first >> targets.stride >> targets.count;
  if (verb == "rate") words >> per_second >> length;
  if (words.fail() || targets.count == 0 || (verb == "rate" && (per_second <= 0 || length <= 0)) ||
      (verb != "run" && verb != "rate" && verb != "hunt")) {
    return Error{Code::kInvalid, "an order that is none: " + line};
  }
  HF_ASSIGN_OR_RETURN(const auto found, shooter.Find(targets));
  HF_TRY(api.Open(sdk::MonotonicNow() + kLoginTime));
  const auto began = std::chrono::steady_clock::now();
  Result<Outcome> outcome = verb == "run" ? shooter.Run(found)
                            : verb == "hunt"
                                ? shooter.Hunt(found)
                                : shooter.Rate(found, per_second, std::chrono::seconds(length));
  if (!outcome.ok()) return outcome.error();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  Print(std::move(outcome.value()), took.count());
  return Ok();
}

Status Serve(const Arguments& arguments) {
  const auto crypto = NewOpensslCrypto();
  HF_ASSIGN_OR_RETURN(const sdk::Fleet fleet, sdk::LoadFleet(arguments.dir));
  HF_ASSIGN_OR_RETURN(
      const auto ready,
      sdk::EnsureOperator(*crypto, fleet, fleet.toml.operator_name, Duration(0), sdk::WallNow()));
  std::ifstream file(arguments.simulation, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  HF_ASSIGN_OR_RETURN(const fleet::Simulation simulation, fleet::ParseSimulation(text));
  sdk::ApiConnection::Options options;
  options.url = fleet.toml.api;
  options.ca_pem = fleet.ca_pem;
  options.session.fleet_id = fleet.toml.id;
  std::vector<std::string> urls = fleet.toml.servers;
  urls.push_back(fleet.toml.api);
  for (const std::string& url : urls) {
    HF_ASSIGN_OR_RETURN(const sdk::ServerUrl parsed, sdk::ServerUrl::Parse(url));
    options.session.server_names.push_back(parsed.host);
  }
  HF_ASSIGN_OR_RETURN(const auto api, sdk::ApiConnection::Create(*crypto, ready.who, options));
  Shooter shooter(*crypto, ready.who, fleet.toml.id, *api, simulation, arguments.window);
  std::string line;
  while (std::getline(std::cin, line)) HF_TRY(Obey(line, shooter, *api));
  return Ok();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view word = argv[i];
    if (word == "--dir") arguments.dir = argv[i + 1];
    if (word == "--simulation") arguments.simulation = argv[i + 1];
    if (word == "--window") arguments.window = std::stoul(argv[i + 1]);
  }
  if (arguments.dir.empty() || arguments.simulation.empty() || arguments.window == 0 ||
      arguments.window > kMaxWindow) {
    std::fprintf(stderr, "usage: holdfast-volley --dir D --simulation F [--window 1..16]\n");
    return 2;
  }
  const Status served = Serve(arguments);
  if (served.ok()) return 0;
  std::fprintf(stderr, "holdfast-volley: %s\n", served.error().message.c_str());
  return 1;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::Main(argc, argv); }
