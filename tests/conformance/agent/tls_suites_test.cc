// Which suites the agent's client offers, and in which order, as a server sees them.
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "common/adapters/lws/lws_client.h"
#include "common/adapters/mbedtls/mbedtls_gcm.h"
#include "tests/support/ws_server.h"

namespace holdfast {
namespace {

class Listener final : public LwsClientDelegate {
 public:
  void OnOpened() override {}
  void OnMessage(std::string_view message) override { heard = message; }
  void OnClosed(const ClientEnd& how) override { ended = how.detail; }
  std::optional<std::string> NextMessage() override { return std::nullopt; }

  std::string heard;
  std::optional<std::string> ended;
};

// What the server saw, as JSON.
std::string Greet(const test::WsServer& server) {
  LwsClient::Options options;
  options.ca_pem = server.ca_pem();
  const auto client = LwsClient::Create(options).value();
  Listener listener;
  const auto dialled =
      client->Connect({server.Url("tls"), "/headers", test::WsServer::kSubprotocol, ""}, listener);
  EXPECT_TRUE(dialled.ok());
  const auto stop = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (listener.heard.empty() && !listener.ended && std::chrono::steady_clock::now() < stop) {
    client->Service(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(listener.ended.value_or(""), "");
  return listener.heard;
}

TEST(TlsSuitesTest, TheFastestHereComesFirstAndAllAreForwardSecretAead) {
  const test::WsServer server;
  // ECDHE with ECDSA and with RSA: RFC 5289 section 3.2, RFC 7905 section 2; then RFC 5746's signal.
  const std::string gcm = R"("c02b", "c02f", )";
  const std::string chacha = R"("cca9", "cca8", )";
  const std::string rest = R"("c02c", "c030", "00ff")";
  const std::string expected =
      "\"offered\": [" + (HasFastGcm() ? gcm + chacha : chacha + gcm) + rest + "]";
  const std::string seen = Greet(server);
  EXPECT_NE(seen.find(expected), std::string::npos) << seen;
}

}  // namespace
}  // namespace holdfast
