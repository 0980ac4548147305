// holdfast-roundtrip: how long a trivial query takes through the whole chain, over one connection.
//
//   holdfast-roundtrip --dir D [--count N] [--warm-up N] TARGET
//   -> {"count":200,"p50_ms":2.91,"p90_ms":3.4,"p99_ms":5.02,"min_ms":2.6,"max_ms":7.8}
//
// Each round signs a new command, submits it, and follows it to its verified result.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sdk/client.h"
#include "backend/sdk/clock.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::sdk {
namespace {

struct Arguments {
  std::string dir;
  std::string target;
  std::size_t count = 200;
  std::size_t warm_up = 5;
};

struct Ends : FollowSink {
  void OnState(const api::Delivery& /*delivery*/) override {}
  Status OnOutput(const AgentId& /*agent*/, std::string_view /*bytes*/) override { return Ok(); }
  Status OnRestart(const AgentId& /*agent*/) override { return Ok(); }
  Status OnEnd(const TargetEnd& end) override {
    if (end.succeeded() && end.output_verified) return Ok();
    return Error{Code::kInternal, "the query failed: " + end.problem + end.delivery.message()};
  }
};

bool ReadNumber(std::string_view text, std::size_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Result<Arguments> ReadArguments(int argc, char** argv) {
  Arguments arguments;
  bool good = true;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--dir" && has_value) {
      arguments.dir = argv[++i];
    } else if (word == "--count" && has_value) {
      good = good && ReadNumber(argv[++i], arguments.count);
    } else if (word == "--warm-up" && has_value) {
      good = good && ReadNumber(argv[++i], arguments.warm_up);
    } else {
      arguments.target = word;
    }
  }
  if (!good || arguments.dir.empty() || arguments.target.empty() || arguments.count == 0) {
    return Error{Code::kInvalid,
                 "usage: holdfast-roundtrip --dir D [--count N] [--warm-up N] TARGET"};
  }
  return arguments;
}

double At(const std::vector<double>& sorted, double share) {
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return sorted[index];
}

Result<std::vector<double>> Measure(const Arguments& arguments) {
  const auto crypto = NewOpensslCrypto();
  HF_ASSIGN_OR_RETURN(const Fleet fleet, LoadFleet(arguments.dir));
  HF_ASSIGN_OR_RETURN(const auto ready, EnsureOperator(*crypto, fleet, fleet.toml.operator_name,
                                                       Duration(0), WallNow()));
  HF_ASSIGN_OR_RETURN(const auto client, Client::Create(*crypto, fleet, ready.who, {}));
  HF_ASSIGN_OR_RETURN(const auto terms, ParseTargets(arguments.target));
  HF_ASSIGN_OR_RETURN(const auto targets, client->ResolveTargets(terms));
  HF_ASSIGN_OR_RETURN(const Verb verb, Verb::Query("SELECT 1 AS one"));
  SignRequest request;
  request.fleet_id = fleet.toml.id;
  for (const auto& target : targets) request.targets.push_back(target.id);
  std::vector<double> took_ms;
  for (std::size_t i = 0; i < arguments.warm_up + arguments.count; ++i) {
    Ends ends;
    request.now = WallNow();
    const auto began = std::chrono::steady_clock::now();
    HF_ASSIGN_OR_RETURN(const auto command, SignCommand(*crypto, ready.who, verb, request));
    HF_TRY(client->Submit(command));
    HF_TRY(client->Follow(command.digest, command.targets, {}, ends));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    if (i >= arguments.warm_up) took_ms.push_back(took.count());
  }
  std::sort(took_ms.begin(), took_ms.end());
  return took_ms;
}

int Run(int argc, char** argv) {
  auto arguments = ReadArguments(argc, argv);
  if (!arguments.ok()) {
    std::fprintf(stderr, "%s\n", arguments.error().message.c_str());
    return 2;
  }
  auto took = Measure(arguments.value());
  if (!took.ok()) {
    std::fprintf(stderr, "holdfast-roundtrip: %s\n", took.error().message.c_str());
    return 1;
  }
  const auto& ms = took.value();
  std::printf(
      "{\"count\":%zu,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"min_ms\":%.3f,"
      "\"max_ms\":%.3f}\n",
      ms.size(), At(ms, 0.5), At(ms, 0.9), At(ms, 0.99), ms.front(), ms.back());
  return 0;
}

}  // namespace
}  // namespace holdfast::sdk

int main(int argc, char** argv) { return holdfast::sdk::Run(argc, argv); }
