// What LwsClient promises, against a server that misbehaves on request. Built twice: with the
// distribution's libwebsockets (OpenSSL) and with the agent's own (mbedTLS).
#include "common/adapters/lws/lws_client.h"

#include <array>
#include <deque>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/adapters/lws/http_tunnel.h"
#include "tests/support/ws_server.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Recorder final : public LwsClientDelegate {
 public:
  void OnStep(ClientStep step) override { steps.push_back(step); }
  void OnOpened() override {
    ++opened;
    if (connection != nullptr) address = connection->peer_address();
    if (close_on_open) connection->Close(1000);
    if (connection != nullptr && !to_send.empty()) connection->WantWrite();
  }
  void OnMessage(std::string_view message) override { messages.emplace_back(message); }
  void OnClosed(const ClientEnd& how) override {
    ++closed;
    end = how;
  }
  std::optional<std::string> NextMessage() override {
    if (to_send.empty()) return std::nullopt;
    std::string out = std::move(to_send.front());
    to_send.pop_front();
    return out;
  }

  LwsClientConnection* connection = nullptr;
  bool close_on_open = false;
  int opened = 0;
  int closed = 0;
  ClientEnd end;
  std::vector<ClientStep> steps;
  std::string address;
  std::vector<std::string> messages;
  std::deque<std::string> to_send;
};

class LwsClientTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { server = new test::WsServer; }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }
  void SetUp() override {
    LwsClient::Options options;
    options.ca_pem = server->ca_pem();
    Make(options);
  }
  void Make(const LwsClient::Options& options) {
    auto made = LwsClient::Create(options);
    ASSERT_TRUE(made.ok()) << made.error().message;
    client_ = std::move(made).value();
  }
  void Dial(const std::string& url, const std::string& path, const std::string& source = "") {
    auto got = client_->Connect({url, path, test::WsServer::kSubprotocol, source}, peer_);
    ASSERT_TRUE(got.ok()) << got.error().message;
    peer_.connection = got.value();
  }
  HttpProxy Proxy(const std::string& name) const {
    return {"127.0.0.1", server->port(name), "", ""};
  }
  // Through a proxy: it reaches `host`, which only has to be a name that it knows.
  void DialThrough(const HttpProxy& proxy, const std::string& url, const std::string& path) {
    LwsClientTarget target{url, path, test::WsServer::kSubprotocol, ""};
    target.proxy = proxy;
    auto got = client_->Connect(target, peer_);
    ASSERT_TRUE(got.ok()) << got.error().message;
    peer_.connection = got.value();
  }
  ClientEnd EndThrough(const std::string& proxy, const std::string& listener) {
    peer_ = {};
    DialThrough(Proxy(proxy), server->Url(listener), "/echo");
    EXPECT_TRUE(RunToEnd());
    EXPECT_EQ(peer_.opened, 0);
    return peer_.end;
  }
  template <typename Done>
  bool RunUntil(Done done, Duration limit = seconds(10)) {
    const auto stop = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < stop) client_->Service(milliseconds(50));
    return done();
  }
  bool RunToEnd() {
    return RunUntil([this] { return peer_.closed > 0; });
  }
  ClientEnd EndOf(const std::string& listener, const std::string& path,
                  const std::string& host = "localhost") {
    Dial(server->Url(listener, host), path);
    EXPECT_TRUE(RunToEnd());
    EXPECT_EQ(peer_.closed, 1);
    return peer_.end;
  }

  static test::WsServer* server;
  std::unique_ptr<LwsClient> client_;
  Recorder peer_;
};
test::WsServer* LwsClientTest::server = nullptr;

class LwsClientBothTest : public LwsClientTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Over, LwsClientBothTest, testing::Values("plain", "tls"),
                         [](const auto& p) { return std::string(p.param); });

TEST_P(LwsClientBothTest, EchoesMessagesOfManySizes) {
  const std::vector<std::size_t> sizes = {1,     125,   126,    4096,   65535,
                                          65536, 16385, 262144, 327680, 3};
  for (const std::size_t size : sizes) {
    std::string message(size, '\0');
    for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<char>(i * 31 + size);
    peer_.to_send.push_back(message);
  }
  const std::deque<std::string> sent = peer_.to_send;
  Dial(server->Url(GetParam()), "/echo");
  ASSERT_TRUE(RunUntil([&] { return peer_.messages.size() == sizes.size(); }));
  for (std::size_t i = 0; i < sizes.size(); ++i) EXPECT_TRUE(peer_.messages[i] == sent[i]) << i;
  peer_.connection->Close(1000);
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(peer_.end.why, ClientClose::kByUs);
}

TEST_P(LwsClientBothTest, SendsItsLastWordBeforeTheClose) {
  Dial(server->Url(GetParam()), "/echo");
  ASSERT_TRUE(RunUntil([&] { return peer_.opened == 1; }));
  peer_.to_send.push_back(std::string(200000, 'x'));
  peer_.connection->Close(1000);
  ASSERT_TRUE(RunToEnd());
  EXPECT_TRUE(peer_.to_send.empty());
  EXPECT_EQ(peer_.end.why, ClientClose::kByUs);
}

TEST_P(LwsClientBothTest, ReassemblesFragmentsAndSlowBytes) {
  EXPECT_EQ(EndOf(GetParam(), "/vanish").why, ClientClose::kByPeer);
  peer_ = {};
  Dial(server->Url(GetParam()), "/fragments");
  ASSERT_TRUE(RunUntil([&] { return !peer_.messages.empty(); }));
  EXPECT_EQ(peer_.messages[0], "abcd");
  Recorder slow;
  auto got = client_->Connect({server->Url(GetParam()), "/dribble", "holdfast.test.v1", ""}, slow);
  ASSERT_TRUE(got.ok());
  ASSERT_TRUE(RunUntil([&] { return !slow.messages.empty(); }));
  EXPECT_EQ(slow.messages[0], "slow but whole");
}

TEST_P(LwsClientBothTest, RefusesTextMessages) {
  EXPECT_EQ(EndOf(GetParam(), "/text").why, ClientClose::kProtocol);
  EXPECT_TRUE(peer_.messages.empty());
}

TEST_P(LwsClientBothTest, RefusesAnAnnouncedTerabyteAtOnce) {
  EXPECT_EQ(EndOf(GetParam(), "/announce-huge").why, ClientClose::kTooLarge);
}

TEST_P(LwsClientBothTest, RefusesEndlessFragmentsAtTheLimit) {
  EXPECT_EQ(EndOf(GetParam(), "/endless").why, ClientClose::kTooLarge);
}

TEST_P(LwsClientBothTest, ClosesOnBreachesOfWebSocket) {
  EXPECT_EQ(EndOf(GetParam(), "/bad-opcode").why, ClientClose::kByPeer);
  peer_ = {};
  EXPECT_EQ(EndOf(GetParam(), "/rsv").why, ClientClose::kByPeer);
  EXPECT_TRUE(peer_.messages.empty());
}

TEST_P(LwsClientBothTest, AnswersPingsUnseen) {
  Dial(server->Url(GetParam()), "/ping");
  ASSERT_TRUE(RunUntil([&] { return !peer_.messages.empty(); }));
  EXPECT_EQ(peer_.messages[0], "after the ping");
}

TEST_P(LwsClientBothTest, ReportsThePeersCloseCode) {
  const ClientEnd end = EndOf(GetParam(), "/close-4410");
  EXPECT_EQ(end.why, ClientClose::kByPeer);
  EXPECT_EQ(end.close_code, 4410);
  EXPECT_EQ(end.detail, "superseded");
}

TEST_P(LwsClientBothTest, ReportsHttpRefusals) {
  EXPECT_EQ(EndOf(GetParam(), "/403").http_status, 403);
  EXPECT_EQ(peer_.end.why, ClientClose::kRefused);
  EXPECT_EQ(peer_.end.http_server, "");
  peer_ = {};
  EXPECT_EQ(EndOf(GetParam(), "/502").http_server, "proxy/1.0");
  EXPECT_EQ(peer_.end.http_status, 502);
  EXPECT_EQ(peer_.end.detail, "HTTP 502 from 'proxy/1.0'");
  peer_ = {};
  EXPECT_EQ(EndOf(GetParam(), "/long-name").http_server, std::string(64, 'n'));
  peer_ = {};
  EXPECT_EQ(EndOf(GetParam(), "/503").http_status, 503);
  EXPECT_EQ(peer_.end.retry_after_s, 17U);
  EXPECT_EQ(peer_.opened, 0);
}

TEST_P(LwsClientBothTest, DoesNotFollowRedirects) {
  EXPECT_EQ(EndOf(GetParam(), "/redirect").http_status, 302);
}

TEST_P(LwsClientBothTest, RefusesOddAnswersToTheUpgrade) {
  EXPECT_EQ(EndOf(GetParam(), "/wide-header").why, ClientClose::kNotHttp);
  // Over TLS that is not told from a connection that broke.
  const bool tls = GetParam() == std::string("tls");
  const ClientClose no_http = tls ? ClientClose::kConnectFailed : ClientClose::kNotHttp;
  for (const char* path : {"/garbage", "/smtp"}) {
    peer_ = {};
    EXPECT_EQ(EndOf(GetParam(), path).why, no_http) << path << peer_.end.detail;
  }
  peer_ = {};
  EXPECT_EQ(EndOf(GetParam(), "/hang-up").why, ClientClose::kConnectFailed);
  for (const char* path : {"/no-protocol", "/extension", "/bad-accept"}) {
    peer_ = {};
    EXPECT_EQ(EndOf(GetParam(), path).why, ClientClose::kProtocol) << path;
    EXPECT_EQ(peer_.opened, 0) << path;
  }
}

TEST_P(LwsClientBothTest, OffersNoExtensionAndNoOriginAndHttp11Only) {
  Dial(server->Url(GetParam()), "/headers");
  ASSERT_TRUE(RunUntil([&] { return !peer_.messages.empty(); }));
  const std::string& seen = peer_.messages[0];
  EXPECT_NE(seen.find("\"extensions\": \"\""), std::string::npos) << seen;
  EXPECT_NE(seen.find("\"origin\": null"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("h2"), std::string::npos) << seen;
  const bool tls = GetParam() == std::string("tls");
  EXPECT_EQ(seen.find("\"alpn\": \"http/1.1\"") != std::string::npos, tls) << seen;
}

TEST_P(LwsClientBothTest, GivesUpOnASilentServer) {
  LwsClient::Options options;
  options.ca_pem = server->ca_pem();
  options.handshake_timeout = milliseconds(300);
  Make(options);
  EXPECT_EQ(EndOf(GetParam(), "/silent").why, ClientClose::kConnectFailed);
  EXPECT_EQ(peer_.opened, 0);
}

TEST_P(LwsClientBothTest, EndsAtOnceWhenItAborts) {
  Dial(server->Url(GetParam()), "/echo");
  ASSERT_TRUE(RunUntil([this] { return peer_.opened > 0; }));
  peer_.connection->Abort();
  EXPECT_TRUE(RunUntil([this] { return peer_.closed > 0; }, seconds(2)));
  EXPECT_EQ(peer_.closed, 1);
  EXPECT_EQ(peer_.end.why, ClientClose::kByUs);
}

TEST_P(LwsClientBothTest, MayCloseFromInsideOnOpened) {
  Dial(server->Url(GetParam()), "/two");
  peer_.close_on_open = true;
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(peer_.end.why, ClientClose::kByUs);
  EXPECT_TRUE(peer_.messages.empty());
}

TEST_F(LwsClientTest, TrustsOnlyTheGivenCa) {
  const ClientEnd end = EndOf("tls_stranger", "/echo");
  EXPECT_EQ(end.why, ClientClose::kUntrusted) << end.detail;
  EXPECT_EQ(end.certificate, CertificateFault::kUnknownCa);
  EXPECT_EQ(end.detail, "the certificate is of another CA");
  EXPECT_TRUE(peer_.steps.empty());
}

TEST_F(LwsClientTest, RefusesACertificateOfAnotherHost) {
  const ClientEnd end = EndOf("tls_other_host", "/echo");
  EXPECT_EQ(end.why, ClientClose::kUntrusted) << end.detail;
  EXPECT_EQ(end.certificate, CertificateFault::kWrongName);
}

TEST_F(LwsClientTest, VerifiesAnAddressAsItDoesAName) {
  Dial(server->Url("tls", "127.0.0.1"), "/echo");
  ASSERT_TRUE(RunUntil([&] { return peer_.opened == 1; })) << peer_.end.detail;
  peer_ = {};
  EXPECT_EQ(EndOf("tls_other_host", "/echo", "127.0.0.1").why, ClientClose::kUntrusted);
}

TEST_F(LwsClientTest, RefusesAnExpiredCertificate) {
  EXPECT_EQ(EndOf("tls_expired", "/echo").why, ClientClose::kUntrusted);
  EXPECT_EQ(peer_.end.certificate, CertificateFault::kExpired);
}

TEST_F(LwsClientTest, RefusesTlsBelow12) {
  EXPECT_EQ(EndOf("tls_old_version", "/echo").why, ClientClose::kConnectFailed);
}

TEST_F(LwsClientTest, GivesUpOnATlsHandshakeThatNeverAnswers) {
  LwsClient::Options options;
  options.ca_pem = server->ca_pem();
  options.handshake_timeout = milliseconds(300);
  Make(options);
  EXPECT_EQ(EndOf("mute", "/echo").why, ClientClose::kConnectFailed);
}

TEST_F(LwsClientTest, ReportsAClosedPortAndAnUnknownNameOutsideConnect) {
  Dial("ws://127.0.0.1:1", "/echo");
  EXPECT_EQ(peer_.closed, 0);
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(peer_.end.why, ClientClose::kConnectFailed);
  peer_ = {};
  Dial("ws://no-such-name.invalid:80", "/echo");
  EXPECT_EQ(peer_.closed, 0);
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(peer_.end.why, ClientClose::kConnectFailed);
}

// No route, as without a network: the end is there before anybody waits, and whoever said how long to wait did not know.
TEST_F(LwsClientTest, DoesNotWaitOnceItHasReportedADialThatFailedAtOnce) {
  for (int i = 0; i < 3; ++i)
    client_->Service(milliseconds(20));  // a new one has its own things to do
  Dial("ws://224.0.0.1:1", "/echo");     // ENETUNREACH of TCP, always
  EXPECT_EQ(peer_.closed, 0);
  const auto start = std::chrono::steady_clock::now();
  client_->Service(seconds(20));
  EXPECT_EQ(peer_.closed, 1);
  EXPECT_EQ(peer_.end.why, ClientClose::kConnectFailed);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
}

TEST_F(LwsClientTest, BindsToTheSourceAddressAskedFor) {
  LwsClient::Options options;
  options.ipv4_only = true;
  options.max_descriptors = 0;
  Make(options);
  Dial(server->Url("plain", "127.0.0.1"), "/headers", "127.1.2.3");
  ASSERT_TRUE(RunUntil([&] { return !peer_.messages.empty(); })) << peer_.end.detail;
  EXPECT_NE(peer_.messages[0].find("\"from\": \"127.1.2.3\""), std::string::npos);
}

TEST_F(LwsClientTest, IgnoresProxyVariablesOfTheEnvironment) {
  setenv("http_proxy", "127.0.0.1:1", 1);
  Make({});
  unsetenv("http_proxy");
  Dial(server->Url("plain"), "/echo");
  ASSERT_TRUE(RunUntil([&] { return peer_.opened == 1; })) << peer_.end.detail;
}

TEST_P(LwsClientBothTest, GoesThroughAProxy) {
  for (const char* proxy : {"proxy", "proxy_dribbles"}) {
    peer_ = {};
    DialThrough(Proxy(proxy), server->Url(GetParam()), "/echo");
    for (const std::size_t size : {3U, 200000U}) peer_.to_send.push_back(std::string(size, 'x'));
    ASSERT_TRUE(RunUntil([&] { return peer_.messages.size() == 2; })) << proxy << peer_.end.detail;
    EXPECT_EQ(peer_.messages[1], std::string(200000, 'x'));
    EXPECT_EQ(peer_.steps, (std::vector{ClientStep::kTunnelled, ClientStep::kUpgradeAsked}));
    peer_.connection->Close(1000);
    ASSERT_TRUE(RunToEnd());
    EXPECT_EQ(peer_.end.why, ClientClose::kByUs);
  }
}

TEST_P(LwsClientBothTest, SaysWhatAProxyDidWrong) {
  EXPECT_EQ(EndThrough("proxy_refuses", GetParam()).why, ClientClose::kProxyRefused);
  EXPECT_EQ(peer_.end.detail, "the proxy refused: HTTP 403 Not by me");
  EXPECT_EQ(EndThrough("proxy_login", GetParam()).why, ClientClose::kProxyRefused);
  EXPECT_EQ(peer_.end.detail, "the proxy refused: HTTP 407 Proxy Authentication Required");
  for (const char* proxy : {"proxy_garbage", "proxy_endless"}) {
    EXPECT_EQ(EndThrough(proxy, GetParam()).why, ClientClose::kConnectFailed);
    EXPECT_EQ(peer_.end.detail, "the proxy: what answers is no HTTP proxy") << proxy;
  }
  EXPECT_EQ(EndThrough("proxy_hangs_up", GetParam()).detail,
            "the proxy: it closed the connection without an answer");
  EXPECT_EQ(EndThrough("proxy_cuts", GetParam()).why, ClientClose::kConnectFailed);
  EXPECT_EQ(peer_.steps[0], ClientStep::kTunnelled);
  peer_ = {};
  DialThrough({"127.0.0.1", 1, "", ""}, server->Url(GetParam()), "/echo");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(peer_.end.detail, "the proxy: 127.0.0.1:1: Connection refused");
}

TEST_P(LwsClientBothTest, GivesUpOnAMuteProxy) {
  LwsClient::Options options;
  options.ca_pem = server->ca_pem();
  options.handshake_timeout = milliseconds(300);
  Make(options);
  EXPECT_EQ(EndThrough("proxy_mute", GetParam()).detail, "the proxy: no answer in time");
}

TEST_F(LwsClientTest, GivesTheProxyItsLoginAndNothingToOthers) {
  auto proxy = ParseProxyUrl(
      "http://ada:p%3A%40ss@127.0.0.1:" + std::to_string(server->port("proxy_login")) + "/");
  ASSERT_TRUE(proxy.ok()) << proxy.error().message;
  DialThrough(proxy.value(), server->Url("tls"), "/echo");
  ASSERT_TRUE(RunUntil([&] { return peer_.opened == 1; })) << peer_.end.detail;
  peer_.connection->Close(1000);
  ASSERT_TRUE(RunToEnd());
  peer_ = {};
  proxy.value().password = "wrong";
  DialThrough(proxy.value(), server->Url("tls"), "/echo");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(peer_.end.why, ClientClose::kProxyRefused);
}

TEST_F(LwsClientTest, VerifiesTheServerInsideTheTunnelNotTheProxy) {
  for (const auto& [listener, fault] : std::vector<std::pair<std::string, CertificateFault>>{
           {"tls_stranger", CertificateFault::kUnknownCa},
           {"tls_other_host", CertificateFault::kWrongName},
           {"tls_expired", CertificateFault::kExpired}}) {
    EXPECT_EQ(EndThrough("proxy", listener).why, ClientClose::kUntrusted) << listener;
    EXPECT_EQ(peer_.end.certificate, fault) << listener;
  }
}

TEST_F(LwsClientTest, VerifiesTheServersNameWhateverWasDialled) {
  // The certificate is other.example's, and 127.0.0.1 is what is dialled in both ways.
  const std::string port = std::to_string(server->port("tls_other_host"));
  for (const bool through_proxy : {true, false}) {
    for (const std::string name : {"other.example", "another.example"}) {
      peer_ = {};
      LwsClientTarget target{"wss://" + name + ":" + port, "/echo", test::WsServer::kSubprotocol,
                             ""};
      if (through_proxy) {
        target.proxy = Proxy("proxy_knows");
      } else {
        target.last_address = "127.0.0.1";
      }
      auto got = client_->Connect(target, peer_);
      ASSERT_TRUE(got.ok());
      peer_.connection = got.value();
      ASSERT_TRUE(RunUntil([&] { return peer_.opened + peer_.closed > 0; })) << name;
      EXPECT_EQ(peer_.opened, name == "other.example" ? 1 : 0) << name << through_proxy;
      if (peer_.opened == 0) {
        EXPECT_EQ(peer_.end.certificate, CertificateFault::kWrongName) << peer_.end.detail;
        continue;
      }
      peer_.connection->Close(1000);
      ASSERT_TRUE(RunToEnd());
    }
  }
}

TEST_F(LwsClientTest, LeavesWhatFollowsTheProxysAnswerToTheServersReader) {
  auto opened = OpenTunnel(Proxy("proxy_eager"), "localhost", 1, seconds(5));
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  std::array<char, 16> rest{};
  EXPECT_EQ(recv(opened.value(), rest.data(), rest.size(), 0), 5);
  EXPECT_EQ(std::string(rest.data(), 5), "early");
  close(opened.value());
}

TEST_F(LwsClientTest, DialsTheLastAddressOfANameThatIsUnknown) {
  LwsClientTarget target{"", "/echo", test::WsServer::kSubprotocol, ""};
  target.last_address = "127.0.0.1";
  target.url = "ws://no-such-name.invalid:" + std::to_string(server->port("plain"));
  auto got = client_->Connect(target, peer_);
  ASSERT_TRUE(got.ok());
  peer_.connection = got.value();
  ASSERT_TRUE(RunUntil([&] { return peer_.opened == 1; })) << peer_.end.detail;
  EXPECT_TRUE(peer_.connection->used_last_address());
  EXPECT_EQ(peer_.address, "127.0.0.1");
}

TEST_F(LwsClientTest, DialsAKnownNameWhereItIsNow) {
  LwsClientTarget target{server->Url("plain", "127.0.0.1"), "/echo", test::WsServer::kSubprotocol,
                         ""};
  target.last_address = "127.9.9.9";
  auto got = client_->Connect(target, peer_);
  ASSERT_TRUE(got.ok());
  peer_.connection = got.value();
  ASSERT_TRUE(RunUntil([&] { return peer_.opened == 1; })) << peer_.end.detail;
  EXPECT_FALSE(peer_.connection->used_last_address());
  EXPECT_EQ(peer_.address, "127.0.0.1");
}

TEST_F(LwsClientTest, RefusesUrlsThatItCannotHonour) {
  const std::string name(kMaxHostBytes + 1, 'a');
  for (const std::string& url :
       {std::string("http://a:1"), std::string("wss://a"), std::string("wss://:1"),
        std::string("wss://a:0"), std::string("wss://a:65536"), std::string("wss://a:1/x"),
        std::string("wss://a b:1"), std::string("wss://[::1]:1"), "wss://" + name + ":1"}) {
    auto got = client_->Connect({url, "/", "p", ""}, peer_);
    ASSERT_FALSE(got.ok()) << url;
    EXPECT_EQ(got.error().code, Code::kInvalid);
  }
  EXPECT_TRUE(ParseServerUrl("ws://[::1]:8080").ok());
}

TEST_F(LwsClientTest, RefusesWhatIsNotOneCaCertificate) {
  for (const std::string& ca : {std::string("nonsense"), server->ca_pem() + server->ca_pem()}) {
    LwsClient::Options options;
    options.ca_pem = ca;
    auto made = LwsClient::Create(options);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, Code::kInvalid);
  }
  LwsClient::Options options;
  Make(options);
  EXPECT_FALSE(client_->Connect({"wss://localhost:1", "/", "p", ""}, peer_).ok());
}

TEST_F(LwsClientTest, StopsReadingWhilePaused) {
  Dial(server->Url("plain"), "/echo");
  ASSERT_TRUE(RunUntil([&] { return peer_.opened == 1; }));
  peer_.connection->Pause(true);
  peer_.to_send.emplace_back("held");
  peer_.connection->WantWrite();
  EXPECT_FALSE(RunUntil([&] { return !peer_.messages.empty(); }, milliseconds(200)));
  peer_.connection->Pause(false);
  EXPECT_TRUE(RunUntil([&] { return !peer_.messages.empty(); }));
}

TEST_F(LwsClientTest, WatchesDescriptors) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  int calls = 0;
  struct Seen {
    int* calls;
    int fd;
  } seen{&calls, ends[0]};
  const auto on_readable = [](void* user) {
    auto* s = static_cast<Seen*>(user);
    char byte = 0;
    ASSERT_GE(read(s->fd, &byte, 1), 0);
    ++*s->calls;
  };
  ASSERT_TRUE(client_->WatchReadable(ends[0], on_readable, &seen).ok());
  client_->PauseReadable(ends[0], true);
  ASSERT_EQ(write(ends[1], "a", 1), 1);
  EXPECT_FALSE(RunUntil([&] { return calls > 0; }, milliseconds(100)));
  client_->PauseReadable(ends[0], false);
  EXPECT_TRUE(RunUntil([&] { return calls == 1; }));
  close(ends[1]);
  EXPECT_TRUE(RunUntil([&] { return calls >= 2; }));
  client_->UnwatchReadable(ends[0]);
  client_->Service(milliseconds(1));
  char byte = 0;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);  // still ours
  close(ends[0]);
}

TEST_F(LwsClientTest, WaitsAsLongAsAskedAndWakesFromAnotherThread) {
  const auto start = std::chrono::steady_clock::now();
  client_->Service(milliseconds(0));
  client_->Service(milliseconds(60));
  client_->Service(milliseconds(60));
  const auto waited = std::chrono::steady_clock::now() - start;
  EXPECT_GE(waited, milliseconds(60));
  EXPECT_LT(waited, seconds(2));
  std::thread waker([this] {
    std::this_thread::sleep_for(milliseconds(20));
    client_->Wake();
  });
  client_->Service(seconds(20));
  waker.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
}

}  // namespace
}  // namespace holdfast
