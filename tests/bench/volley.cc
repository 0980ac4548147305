// holdfast-volley: many signed commands through everything, several at a time, for the scale run.
//
//   holdfast-volley --dir FLEET --simulation FILE [--window N]
//   stdin:  run FIRST STRIDE COUNT      one command each to agents FIRST, FIRST + STRIDE, ...
//   stdout: {"count":500,"failed":0,"seconds":0.61,"p50_ms":9.1,"p99_ms":17.3,"max_ms":19.0,"problem":""}
//
// Each command is signed for itself, submitted over one connection of the SDK, and followed to the result that
// its agent signed and to its verified output. The time counts from the submission.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "backend/fleet/simulation.h"
#include "backend/sdk/api_connection.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/fleet.h"
#include "backend/sdk/operator_cert.h"
#include "backend/sdk/result_tracker.h"
#include "backend/sdk/server_url.h"
#include "backend/sdk/sign_command.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::sdk {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxWindow = 16;                    // watches of one connection: api.proto
constexpr Duration kPatience = std::chrono::seconds(60);  // without an answer

struct Arguments {
  std::string dir;
  std::string simulation;
  std::size_t window = kMaxWindow;
};

struct Volley {
  std::uint32_t first = 0;
  std::uint32_t stride = 1;
  std::uint32_t count = 0;
};

struct Outcome {
  std::vector<double> took_ms;
  std::size_t failed = 0;
  std::string problem;
};

class Ends final : public FollowSink {
 public:
  void OnState(const api::Delivery& /*delivery*/) override {}
  Status OnOutput(const AgentId& /*agent*/, std::string_view /*bytes*/) override { return Ok(); }
  Status OnRestart(const AgentId& /*agent*/) override { return Ok(); }
  Status OnEnd(const TargetEnd& end) override {
    if (end.succeeded() && end.output_verified) return Ok();
    return Error{Code::kInternal, "a command failed: " + end.problem + end.delivery.message()};
  }
};

class Shooter {
 public:
  Shooter(const sign::Crypto& crypto, const Operator& who, const FleetId& fleet, ApiConnection& api,
          const fleet::Simulation& simulation, std::size_t window)
      : crypto_(crypto),
        who_(who),
        fleet_(fleet),
        api_(api),
        simulation_(simulation),
        window_(window) {}

  Result<Outcome> Run(const Volley& volley) {
    Outcome outcome;
    HF_ASSIGN_OR_RETURN(const std::vector<AgentId> targets, Targets(volley));
    std::size_t next = 0;
    while (next < targets.size() || !flying_.empty()) {
      while (next < targets.size() && flying_.size() < window_) HF_TRY(Shoot(targets[next++]));
      HF_ASSIGN_OR_RETURN(const auto reply, api_.Receive(MonotonicNow() + kPatience));
      if (!reply) return Error{Code::kUnavailable, "no answer for a minute"};
      OnReply(*reply, outcome);
    }
    return outcome;
  }

 private:
  struct Flying {
    Flying(const sign::Crypto& crypto, const SignedCommand& command)
        : tracker(crypto, command.digest, command.targets, ResultTracker::Output::kWanted) {}
    ResultTracker tracker;
    Clock::time_point began;
  };

  // Before the clock starts: a key takes longer than a command.
  Result<std::vector<AgentId>> Targets(const Volley& volley) const {
    std::vector<AgentId> targets;
    for (std::uint32_t i = 0; i < volley.count; ++i) {
      HF_ASSIGN_OR_RETURN(const auto key, fleet::SimulatedKey(crypto_, simulation_.seed,
                                                              volley.first + i * volley.stride));
      targets.push_back(sign::AgentIdOf(crypto_, key->public_key()));
    }
    return targets;
  }

  Status Shoot(const AgentId& target) {
    HF_ASSIGN_OR_RETURN(const Verb verb, Verb::Query("SELECT hostname, number"));
    SignRequest request;
    request.fleet_id = fleet_;
    request.now = WallNow();
    request.targets = {target};
    HF_ASSIGN_OR_RETURN(const SignedCommand command, SignCommand(crypto_, who_, verb, request));
    auto flying = std::make_unique<Flying>(crypto_, command);
    flying->began = Clock::now();
    api::ClientMessage submit;
    submit.mutable_submit()->set_envelope(command.envelope);
    submit.mutable_submit()->set_cert_envelope(command.cert_envelope);
    HF_TRY(api_.Send(std::move(submit)));
    api::ClientMessage watch;
    watch.mutable_watch()->set_digest(command.digest.str());
    watch.mutable_watch()->set_output(true);
    HF_ASSIGN_OR_RETURN(const std::uint64_t id, api_.Send(std::move(watch)));
    flying_.emplace(id, std::move(flying));
    return Ok();
  }

  void OnReply(const api::ServerMessage& reply, Outcome& outcome) {
    if (reply.has_submitted()) return;
    const auto found = flying_.find(reply.id());
    if (found == flying_.end()) {
      if (reply.has_error()) outcome.problem = reply.error().message();  // of a submission
      return;
    }
    Flying& flying = *found->second;
    Ends ends;
    Status taken = reply.has_watch_event() ? flying.tracker.OnEvent(reply.watch_event(), ends)
                                           : Status(FromApi(reply.error()));
    if (taken.ok() && !flying.tracker.finished()) return;
    if (taken.ok()) {
      const std::chrono::duration<double, std::milli> took = Clock::now() - flying.began;
      outcome.took_ms.push_back(took.count());
    } else {
      ++outcome.failed;
      outcome.problem = taken.error().message;
    }
    flying_.erase(found);
  }

  const sign::Crypto& crypto_;
  const Operator& who_;
  const FleetId fleet_;
  ApiConnection& api_;
  const fleet::Simulation& simulation_;
  const std::size_t window_;
  std::map<std::uint64_t, std::unique_ptr<Flying>> flying_;  // by the watch's request
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

Status Serve(const Arguments& arguments) {
  const auto crypto = NewOpensslCrypto();
  HF_ASSIGN_OR_RETURN(const Fleet fleet, LoadFleet(arguments.dir));
  HF_ASSIGN_OR_RETURN(const auto ready, EnsureOperator(*crypto, fleet, fleet.toml.operator_name,
                                                       Duration(0), WallNow()));
  std::ifstream file(arguments.simulation, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  HF_ASSIGN_OR_RETURN(const fleet::Simulation simulation, fleet::ParseSimulation(text));
  ApiConnection::Options options;
  options.url = fleet.toml.api;
  options.ca_pem = fleet.ca_pem;
  options.session.fleet_id = fleet.toml.id;
  std::vector<std::string> urls = fleet.toml.servers;
  urls.push_back(fleet.toml.api);
  for (const std::string& url : urls) {
    HF_ASSIGN_OR_RETURN(const ServerUrl parsed, ServerUrl::Parse(url));
    options.session.server_names.push_back(parsed.host);
  }
  HF_ASSIGN_OR_RETURN(const auto api, ApiConnection::Create(*crypto, ready.who, options));
  Shooter shooter(*crypto, ready.who, fleet.toml.id, *api, simulation, arguments.window);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string verb;
    Volley volley;
    words >> verb >> volley.first >> volley.stride >> volley.count;
    if (verb != "run" || words.fail()) return Error{Code::kInvalid, "run FIRST STRIDE COUNT"};
    HF_TRY(api->Open(MonotonicNow() + kPatience));
    const auto began = Clock::now();
    HF_ASSIGN_OR_RETURN(Outcome outcome, shooter.Run(volley));
    Print(std::move(outcome), std::chrono::duration<double>(Clock::now() - began).count());
  }
  return Ok();
}

int Run(int argc, char** argv) {
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
}  // namespace holdfast::sdk

int main(int argc, char** argv) { return holdfast::sdk::Run(argc, argv); }
