#include "backend/adapters/lws/lws_server.h"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ev.h>
#include <gtest/gtest.h>

#include "tests/support/raw_websocket.h"

namespace holdfast::backend {
namespace {

using test::RawWebSocket;

constexpr char kPath[] = "/agent/v1";
constexpr char kSubprotocol[] = "holdfast.link.v1";

struct FakeDelegate : LwsServerDelegate {
  void OnOpened(LwsLink& link) override {
    ++opened;
    last = &link;
    host = link.host();
  }
  void OnMessage(LwsLink& link, std::string_view message) override {
    EXPECT_EQ(&link, last);
    messages.emplace_back(message);
    if (on_message) on_message(link);
  }
  void OnClosed(LwsLink* link, ServerClose why) override {
    closed.push_back(why);
    closed_open_link = link != nullptr;
    last = nullptr;
  }
  std::optional<std::uint32_t> RefuseUpgrade() override { return refuse; }
  void OnNotOpened(std::string_view peer_address) override { not_opened = peer_address; }
  std::optional<std::string> NextMessage(LwsLink&) override {
    if (to_send.empty()) return std::nullopt;
    std::string next = std::move(to_send.front());
    to_send.pop_front();
    return next;
  }
  void OnPong(LwsLink& link) override {
    EXPECT_EQ(&link, last);
    ++pongs;
  }
  int opened = 0;
  int pongs = 0;
  LwsLink* last = nullptr;
  std::string host;
  std::vector<std::string> messages;
  std::vector<ServerClose> closed;
  bool closed_open_link = false;
  std::optional<std::uint32_t> refuse;
  std::string not_opened;
  std::deque<std::string> to_send;
  std::function<void(LwsLink&)> on_message;
};

class LwsServerTest : public testing::Test {
 protected:
  void SetUp() override {
    loop_ = ev_loop_new(EVFLAG_AUTO);
    LwsServer::Options options;
    options.path = kPath;
    options.subprotocol = kSubprotocol;
    Start(std::move(options));
  }
  void Start(LwsServer::Options options) {
    options.max_message_bytes = 300 * 1024;
    options.handshake_timeout = std::chrono::seconds(2);
    auto made = LwsServer::Create(loop_, options, delegate_);
    ASSERT_TRUE(made.ok()) << made.error().message;
    server_ = std::move(made).value();
  }
  void TearDown() override {
    server_.reset();
    ev_run(loop_, EVRUN_NOWAIT);
    ev_loop_destroy(loop_);
  }
  std::unique_ptr<RawWebSocket> Connect() {
    const auto [client, server] = test::TcpPair();
    EXPECT_TRUE(server_->Adopt(server, "127.0.0.1:1").ok());
    return std::make_unique<RawWebSocket>(client);
  }
  std::unique_ptr<RawWebSocket> Open() {
    auto client = Connect();
    client->Send(RawWebSocket::Upgrade(kPath, kSubprotocol));
    TurnUntil([&] { return delegate_.opened > 0; });
    client->received().clear();
    return client;
  }
  // Turns the loop until `done` holds; false after 20 s, which is above every deadline in use here.
  bool TurnUntil(const std::function<bool()>& done, RawWebSocket* flush = nullptr) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      if (flush != nullptr) flush->Flush();
      Turn();
    }
    return true;
  }
  void Turn() {  // once, for 5 ms at most
    const auto nothing = [](struct ev_loop*, ev_timer*, int) {};
    ev_timer soon;
    ev_timer_init(&soon, nothing, 0.005, 0.0);
    ev_timer_start(loop_, &soon);
    ev_run(loop_, EVRUN_ONCE);
    ev_timer_stop(loop_, &soon);
  }

  struct ev_loop* loop_ = nullptr;
  FakeDelegate delegate_;
  std::unique_ptr<LwsServer> server_;
};

TEST_F(LwsServerTest, OpensALinkAndCarriesMessagesBothWays) {
  auto client = Connect();
  client->Send(RawWebSocket::Upgrade(kPath, kSubprotocol));
  ASSERT_TRUE(TurnUntil([&] { return delegate_.opened == 1; }));
  EXPECT_EQ(delegate_.host, "gateway.test");
  EXPECT_NE(client->received().find("101"), std::string::npos);
  client->received().clear();

  client->Send(RawWebSocket::Binary("up"));
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.messages.empty(); }));
  EXPECT_EQ(delegate_.messages[0], "up");

  delegate_.to_send = {"one", "two"};
  delegate_.last->WantWrite();
  ASSERT_TRUE(TurnUntil([&] { return client->received().size() >= 10; }));
  EXPECT_EQ(client->received(), std::string("\x82\x03one\x82\x03two"));
}

TEST_F(LwsServerTest, ReassemblesALargeMessageWhateverItsPieces) {
  auto client = Open();
  std::string payload(256 * 1024, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 7);
  client->Send(RawWebSocket::Header(0x02, 1000) + payload.substr(0, 1000));
  client->Send(RawWebSocket::Header(0x80, payload.size() - 1000) + payload.substr(1000));
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.messages.empty(); }, client.get()));
  EXPECT_TRUE(delegate_.messages[0] == payload);
}

TEST_F(LwsServerTest, SendsALargeMessageWhole) {
  auto client = Open();
  delegate_.to_send = {std::string(1024 * 1024, 'x')};
  delegate_.last->WantWrite();
  ASSERT_TRUE(TurnUntil([&] { return client->received().size() >= 10 + 1024 * 1024; }));
  EXPECT_EQ(client->received().size(), 10U + 1024 * 1024);
}

TEST_F(LwsServerTest, ClosesWith1009BeforeALargeFrameIsKept) {
  auto client = Open();
  for (const std::uint64_t bytes : {std::uint64_t{1} << 30, (std::uint64_t{1} << 63) - 1}) {
    delegate_.closed.clear();
    if (delegate_.last == nullptr) {
      delegate_.opened = 0;
      client = Open();
    }
    client->Send(RawWebSocket::Header(0x82, bytes) + "x");
    ASSERT_TRUE(TurnUntil([&] { return client->received().size() >= 4; }));
    EXPECT_EQ(client->received().substr(0, 1), "\x88");
    EXPECT_EQ(client->received().substr(2, 2), "\x03\xF1");  // 1009
    client->Drop();
    ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
    EXPECT_EQ(delegate_.closed[0], ServerClose::kTooLarge);
    EXPECT_TRUE(delegate_.messages.empty());
  }
}

TEST_F(LwsServerTest, ClosesAnEndlessRowOfFragments) {
  auto client = Open();
  client->Send(RawWebSocket::Header(0x02, 0));
  std::string empty_fragments;
  for (int i = 0; i < 2000; ++i) empty_fragments += RawWebSocket::Header(0x00, 0);
  client->Send(empty_fragments);
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }, client.get()));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kTooLarge);
}

TEST_F(LwsServerTest, ObeysASmallerLimitOfOneLink) {
  auto client = Open();
  delegate_.last->SetMaxMessageBytes(10);
  client->Send(RawWebSocket::Binary("0123456789"));
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.messages.empty(); }));
  client->Send(RawWebSocket::Binary("0123456789a"));
  ASSERT_TRUE(TurnUntil([&] { return client->received().starts_with("\x88"); }));
  client->Drop();
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kTooLarge);
}

TEST_F(LwsServerTest, SendsWhatATurnBroughtWhenItEnds) {
  auto client = Open();
  std::string expected;
  delegate_.on_message = [&](LwsLink& link) {
    for (int i = 0; i < 100; ++i) {
      const std::string message = std::to_string(i);
      expected += "\x82" + std::string(1, static_cast<char>(message.size())) + message;
      delegate_.to_send.push_back(message);
      link.WantWrite();
    }
  };
  // Before the loop waits again, so without asking the system whether there is room.
  struct BeforeWaiting {
    FakeDelegate& delegate;
    RawWebSocket& client;
    std::optional<std::string> received;
  } before{delegate_, *client, {}};
  ev_prepare prepare;
  ev_prepare_init(&prepare, [](struct ev_loop*, ev_prepare* self, int) {
    auto* const at = static_cast<BeforeWaiting*>(self->data);
    if (!at->delegate.messages.empty() && !at->received) at->received = at->client.received();
  });
  ev_set_priority(&prepare, EV_MINPRI);
  prepare.data = &before;
  ev_prepare_start(loop_, &prepare);
  client->Send(RawWebSocket::Binary("all"));
  EXPECT_TRUE(TurnUntil([&] { return before.received.has_value(); }));
  ev_prepare_stop(loop_, &prepare);
  EXPECT_EQ(before.received, expected);
}

TEST_F(LwsServerTest, SendsWhatIsAskedForBetweenTurns) {
  auto client = Open();
  ev_prepare between;
  ev_prepare_init(&between, [](struct ev_loop* loop, ev_prepare* self, int) {
    static_cast<LwsLink*>(self->data)->WantWrite();
    ev_prepare_stop(loop, self);
  });
  ev_set_priority(&between, EV_MINPRI);
  between.data = delegate_.last;
  delegate_.to_send = {"late"};
  ev_prepare_start(loop_, &between);
  ev_run(loop_, EVRUN_NOWAIT);
  EXPECT_EQ(client->received(), "\x82\x04late");
}

TEST_F(LwsServerTest, SaysNothingMoreOnceALinkEndsInTheTurnThatAsked) {
  delegate_.on_message = [&](LwsLink& link) {
    delegate_.to_send = {"never"};
    link.WantWrite();
  };
  const std::string goodbye = RawWebSocket::Header(0x88, 2) + "\x03\xe8";
  for (const std::string& end : {RawWebSocket::Header(0x83, 0), goodbye}) {  // 0x83: no such opcode
    delegate_.opened = 0;
    delegate_.closed.clear();
    auto client = Open();
    client->Send(RawWebSocket::Binary("ask") + end);
    ASSERT_TRUE(TurnUntil([&] { return !client->received().empty(); }));
    EXPECT_EQ(client->received().at(0), '\x88');
    client->Drop();
    ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  }
}

class LwsTextServerTest : public LwsServerTest {
 protected:
  void SetUp() override {
    loop_ = ev_loop_new(EVFLAG_AUTO);
    LwsServer::Options options;
    options.path = "/";
    options.messages = MessageKind::kText;
    Start(std::move(options));
  }
};

TEST_F(LwsTextServerTest, CarriesTextWithoutASubprotocol) {
  auto client = Connect();
  client->Send(RawWebSocket::Upgrade("/", ""));
  ASSERT_TRUE(TurnUntil([&] { return delegate_.opened == 1; }));
  client->received().clear();
  delegate_.to_send = {"down"};
  delegate_.on_message = [](LwsLink& link) { link.WantWrite(); };
  client->Send(RawWebSocket::Header(0x81, 2) + "up");
  ASSERT_TRUE(TurnUntil([&] { return client->received().size() >= 6; }));
  EXPECT_EQ(delegate_.messages.at(0), "up");
  EXPECT_EQ(client->received(),
            "\x81\x04"
            "down");
}

TEST_F(LwsTextServerTest, ClosesABinaryMessageAndRefusesASubprotocol) {
  auto stranger = Connect();
  stranger->Send(RawWebSocket::Upgrade("/", "chat"));
  ASSERT_TRUE(TurnUntil([&] { return stranger->ended(); }));
  EXPECT_TRUE(stranger->received().starts_with("HTTP/1.1 404"));
  auto client = Connect();
  client->Send(RawWebSocket::Upgrade("/", ""));
  ASSERT_TRUE(TurnUntil([&] { return delegate_.opened == 1; }));
  client->received().clear();
  client->Send(RawWebSocket::Binary("up"));
  ASSERT_TRUE(TurnUntil([&] { return client->received().starts_with("\x88"); }));
  EXPECT_TRUE(delegate_.messages.empty());
}

TEST_F(LwsServerTest, ClosesATextMessage) {
  auto client = Open();
  client->Send(RawWebSocket::Header(0x81, 2) + "hi");
  ASSERT_TRUE(TurnUntil([&] { return client->received().starts_with("\x88"); }));
  client->Drop();
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kProtocol);
}

TEST_F(LwsServerTest, ClosesAnUnknownOpcode) {
  auto client = Open();
  client->Send(RawWebSocket::Header(0x83, 2) + "hi");
  ASSERT_TRUE(TurnUntil([&] { return client->received().starts_with("\x88"); }));
  client->Drop();
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kProtocol);
}

TEST_F(LwsServerTest, PingsBetweenMessagesAndHearsThePong) {
  auto client = Open();
  delegate_.to_send = {"one"};
  delegate_.last->Ping();
  delegate_.last->Ping();  // asked twice before it went out: one is enough
  ASSERT_TRUE(TurnUntil([&] { return client->received().size() >= 8; }));
  EXPECT_EQ(client->received(), "\x89\x01?\x82\x03one");
  EXPECT_EQ(delegate_.pongs, 0);
  client->Send(RawWebSocket::Header(0x8a, 1) + "?");
  ASSERT_TRUE(TurnUntil([&] { return delegate_.pongs == 1; }));
  EXPECT_TRUE(delegate_.closed.empty());
}

TEST_F(LwsServerTest, ReportsAPeerThatGoesAway) {
  auto client = Open();
  client->Drop();
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kByPeer);
  EXPECT_TRUE(delegate_.closed_open_link);
}

TEST_F(LwsServerTest, SendsWhatIsLeftThenClosesWithCodeAndText) {
  auto client = Open();
  delegate_.to_send = {"bye"};
  delegate_.last->Close(1000, "superseded");
  ASSERT_TRUE(TurnUntil([&] { return client->received().size() >= 5 + 4 + 10; }));
  EXPECT_EQ(client->received(), std::string("\x82\x03"
                                            "bye\x88\x0c\x03\xe8superseded"));
  client->Send(RawWebSocket::Header(0x88, 2) + "\x03\xe8");
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kByUs);
}

TEST_F(LwsServerTest, CutsAPeerThatDoesNotAnswerTheClose) {
  auto client = Open();
  delegate_.last->Close(1000, "");
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kByUs);
}

TEST_F(LwsServerTest, CutsAReaderThatTakesNothingFor15Seconds) {
  auto client = Open();  // and never reads again
  for (int i = 0; i < 64; ++i) delegate_.to_send.emplace_back(256 * 1024, 'x');
  delegate_.last->WantWrite();
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kStalled);
  EXPECT_FALSE(delegate_.to_send.empty());
}

TEST_F(LwsServerTest, CutsABreachThatDoesNotAnswerTheCloseEither) {
  auto client = Open();
  client->Send(RawWebSocket::Header(0x82, std::uint64_t{1} << 30) + "x");
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kTooLarge);
  EXPECT_TRUE(client->ended());
}

TEST_F(LwsServerTest, ClosesASocketThatSaysNothingWithinTheDeadline) {
  auto client = Connect();
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kHandshakeTimeout);
  EXPECT_FALSE(delegate_.closed_open_link);
  EXPECT_TRUE(client->ended());
}

TEST_F(LwsServerTest, ClosesHalfARequestWithinTheDeadline) {
  auto client = Connect();
  client->Send("GET /agent/v1 HTTP/1.1\r\nHost: a");
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kHandshakeTimeout);
}

TEST_F(LwsServerTest, RefusesWhatIsNoLinkInItsOwnName) {
  struct Case {
    std::string request;
    std::string status;
  };
  const std::vector<Case> cases = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404"},
      {"GET /agent/v1 HTTP/1.1\r\nHost: a\r\n\r\n", "426"},
      {RawWebSocket::Upgrade("/agent/v2", kSubprotocol), "404"},
      {RawWebSocket::Upgrade("/agent/v1?x=1", kSubprotocol), "404"},
      {RawWebSocket::Upgrade("/agent/v1/", kSubprotocol), "404"},
      {RawWebSocket::Upgrade(kPath, "holdfast.link.v2"), "404"},
      {RawWebSocket::Upgrade(kPath, kSubprotocol, "Origin: http://gateway.test\r\n"), "403"},
      {RawWebSocket::Upgrade(kPath, kSubprotocol, "Origin: null\r\n"), "403"},
  };
  for (const Case& wrong : cases) {
    delegate_.closed.clear();
    auto client = Connect();
    client->Send(wrong.request);
    ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); })) << wrong.request;
    EXPECT_EQ(delegate_.closed[0], ServerClose::kNotALink) << wrong.request;
    EXPECT_EQ(client->received().substr(0, 12), "HTTP/1.1 " + wrong.status) << wrong.request;
    EXPECT_NE(client->received().find("\r\nServer: holdfast\r\n"), std::string::npos);
    EXPECT_EQ(delegate_.not_opened, "127.0.0.1:1");
  }
  EXPECT_EQ(delegate_.opened, 0);
}

TEST_F(LwsServerTest, RefusesAnUpgradeWith503WhenItsDelegateWantsThat) {
  delegate_.refuse = 7;
  auto client = Connect();
  client->Send(RawWebSocket::Upgrade(kPath, kSubprotocol));
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.closed[0], ServerClose::kRefused);
  EXPECT_EQ(client->received(),
            "HTTP/1.1 503 Service Unavailable\r\nServer: holdfast\r\nRetry-After: 7\r\n"
            "Content-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(delegate_.opened, 0);
}

TEST_F(LwsServerTest, NeverGrantsAnExtensionOrHttp2) {
  auto client = Connect();
  client->Send(RawWebSocket::Upgrade(kPath, kSubprotocol,
                                     "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  ASSERT_TRUE(TurnUntil([&] { return client->received().find("\r\n\r\n") != std::string::npos; }));
  EXPECT_NE(client->received().find(" 101 "), std::string::npos);
  EXPECT_EQ(client->received().find("deflate"), std::string::npos);

  delegate_.closed.clear();
  auto upgrade = Connect();
  upgrade->Send(
      "GET /agent/v1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(upgrade->received().find(" 101 "), std::string::npos);

  delegate_.closed.clear();
  auto preface = Connect();
  preface->Send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  // An HTTP/2 server's first bytes would be a SETTINGS frame.
  EXPECT_TRUE(preface->received().empty() || preface->received().starts_with("HTTP/1."));
}

TEST_F(LwsServerTest, ClosesBinaryNoise) {
  auto client = Connect();
  client->Send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\r\n\r\n", 19));
  ASSERT_TRUE(TurnUntil([&] { return !delegate_.closed.empty(); }));
  EXPECT_EQ(delegate_.opened, 0);
}

TEST_F(LwsServerTest, ClosesLinksThatAreOpenWhenItEnds) {
  auto client = Open();
  server_.reset();
  ev_run(loop_, EVRUN_NOWAIT);
  EXPECT_EQ(delegate_.closed.size(), 1U);
}

TEST(LwsServerCreateTest, NamesACertificateThatDoesNotLoad) {
  FakeDelegate delegate;
  LwsServer::Options options;
  options.cert_file = "/nonexistent/server.crt";
  options.key_file = "/nonexistent/server.key";
  const auto made = LwsServer::Create(EV_DEFAULT, options, delegate);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, Code::kInvalid);
  EXPECT_NE(made.error().message.find("/nonexistent/server.crt"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::backend
