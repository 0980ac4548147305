// ask: asks endpoints one question through libholdfast, and prints their rows as JSON-like lines.
//
//   g++ -std=c++20 ask.cc -o ask $(pkg-config --cflags --libs --static libholdfast)
//   ./ask FLEET_DIRECTORY TARGET SQL        ./ask /srv/fleet web01 "SELECT name, pid FROM processes LIMIT 3"
//
// A whole program: the operator's key of the fleet's directory signs the command here, on this machine; what comes back
// is believed only if the endpoint itself has signed it.
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "backend/sdk/client.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/operator_cert.h"
#include "backend/sdk/output_reader.h"
#include "backend/sdk/verbs.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/base/untrusted.h"

using namespace holdfast;  // NOLINT(google-build-using-namespace): an example

namespace {

std::string Text(const command::v1::Value& value) {
  switch (value.kind_case()) {
    case command::v1::Value::kInteger: return std::to_string(value.integer());
    case command::v1::Value::kReal: return std::to_string(value.real());
    // What an endpoint says is hostile: never onto a terminal as it is.
    case command::v1::Value::kText: return ForTerminal(Untrusted(value.text()));
    case command::v1::Value::kBlob: return ToHex(value.blob());
    default: return "NULL";
  }
}

// What happens, target by target. Rows come in batches, the first of which names the columns.
class Printer final : public sdk::FollowSink {
 public:
  void OnState(const api::v1::Delivery& /*delivery*/) override {}

  Status OnOutput(const AgentId& agent, std::string_view bytes) override {
    sdk::RowReader& reader = readers_[agent.hex()];
    reader.Push(bytes);
    for (;;) {
      HF_ASSIGN_OR_RETURN(const auto batch, reader.Next());
      if (!batch) return Ok();
      for (const auto& row : batch->rows()) {
        std::string line;
        for (const auto& value : row.values()) line += (line.empty() ? "" : "\t") + Text(value);
        std::printf("%.12s\t%s\n", agent.hex().c_str(), line.c_str());
      }
    }
  }

  Status OnRestart(const AgentId& agent) override {
    readers_.erase(agent.hex());
    return Ok();
  }

  Status OnEnd(const sdk::TargetEnd& end) override {
    if (end.succeeded() && end.output_verified) return Ok();
    std::fprintf(stderr, "%.12s: %s %s\n", end.agent.hex().c_str(),
                 command::v1::CommandFailure_Name(end.delivery.failure()).c_str(),
                 ForTerminal(Untrusted(end.problem + end.delivery.message())).c_str());
    all_good_ = false;
    return Ok();
  }

  bool all_good() const { return all_good_; }

 private:
  std::map<std::string, sdk::RowReader> readers_;
  bool all_good_ = true;
};

Result<bool> Ask(const std::string& dir, const std::string& target, const std::string& sql) {
  const auto crypto = NewOpensslCrypto();
  HF_ASSIGN_OR_RETURN(const sdk::Fleet fleet, sdk::LoadFleet(dir));
  HF_ASSIGN_OR_RETURN(
      const auto ready,
      sdk::EnsureOperator(*crypto, fleet, fleet.toml.operator_name, Duration(0), sdk::WallNow()));
  HF_ASSIGN_OR_RETURN(const auto client, sdk::Client::Create(*crypto, fleet, ready.who, {}));
  HF_ASSIGN_OR_RETURN(const auto terms, sdk::ParseTargets(target));
  HF_ASSIGN_OR_RETURN(const auto targets, client->ResolveTargets(terms));
  HF_ASSIGN_OR_RETURN(const sdk::Verb verb, sdk::Verb::Query(sql));
  sdk::SignRequest request;
  request.fleet_id = fleet.toml.id;
  request.now = sdk::WallNow();
  for (const auto& found : targets) request.targets.push_back(found.id);
  HF_ASSIGN_OR_RETURN(const auto command, sdk::SignCommand(*crypto, ready.who, verb, request));
  HF_TRY(client->Submit(command));
  Printer printer;
  HF_TRY(client->Follow(command.digest, command.targets, {}, printer));
  return printer.all_good();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: ask FLEET_DIRECTORY TARGET SQL\n");
    return 2;
  }
  const auto answered = Ask(argv[1], argv[2], argv[3]);
  if (!answered.ok()) std::fprintf(stderr, "ask: %s\n", answered.error().message.c_str());
  return answered.ok() && answered.value() ? 0 : 1;
}
