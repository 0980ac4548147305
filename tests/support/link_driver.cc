// link_driver GREETING_MS ANSWER_MS BACKOFF_BASE_MS BACKOFF_CAP_MS: the link process as RunLink has it,
// on descriptor 3, but with times that a test can wait for.
#include <cstdlib>

#include "agent/app/link_config.h"
#include "agent/app/link_process.h"
#include "common/base/check.h"

int main(int argc, char** argv) {
  using holdfast::Duration;
  using holdfast::LwsClient;
  using holdfast::agent::LinkProcess;
  HF_CHECK(argc == 5);
  constexpr int kWarden = 3;
  holdfast::agent::WardenPipe pipe(kWarden);
  holdfast::agent::PrepareLookUps();
  auto config = holdfast::agent::ReadLinkConfig(pipe);
  HF_CHECK(config.ok());
  LwsClient::Options options;
  options.ca_pem = config.value().ca_pem;
  options.max_message_bytes = holdfast::link::kMaxMessageBytes;
  options.max_descriptors = 8;
  auto client = LwsClient::Create(options);
  HF_CHECK(client.ok());
  LinkProcess::Options own;
  own.servers = config.value().servers;
  own.last_addresses = config.value().last_addresses;
  own.proxy = config.value().proxy;
  own.dialer.greeting = Duration(std::atoi(argv[1]));
  own.dialer.beat_answer = Duration(std::atoi(argv[2]));
  own.dialer.backoff.base = Duration(std::atoi(argv[3]));
  own.dialer.backoff.cap = Duration(std::atoi(argv[4]));
  own.seed = 1;
  LinkProcess process(std::move(own), kWarden, *client.value(), pipe);
  while (!process.exit_status()) process.OnTurn();
  return *process.exit_status();
}
