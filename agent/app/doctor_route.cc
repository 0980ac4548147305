#include "agent/app/doctor_route.h"

#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/unique_fd.h"
#include "common/adapters/lws/close_reason.h"
#include "common/adapters/lws/http_tunnel.h"
#include "common/link/codec.h"
#include "common/link/limits.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::link::v1;

constexpr std::uint16_t kNormalClosure = 1000;  // RFC 6455, 7.4.1
constexpr std::uint32_t kProtocolVersion = 1;   // link.proto, Challenge
constexpr std::size_t kMaxAddresses = 4;        // to show

TimePoint Now() { return ReadClocks().now; }

struct Found {
  std::string what;
  std::string fix;  // not empty: it failed
};

const char* CertificateFix(CertificateFault fault) {
  switch (fault) {
    case CertificateFault::kUnknownCa:
      return "Who answers does not have this fleet's certificate: another server, or somebody who "
             "intercepts TLS (an inspecting proxy must let this host pass).";
    case CertificateFault::kWrongName:
      return "Compare the host in the server's URL with the names in tls.cert on the server.";
    case CertificateFault::kExpired:
    case CertificateFault::kNotYetValid:
      return "Compare this machine's clock with a good one; if it is right, renew tls.cert on the "
             "server.";
    default: return "Look at tls.cert on the server.";
  }
}

class RouteProbe final : public LwsClientDelegate {
 public:
  RouteProbe(const ProbeTarget& target, DoctorReport& report)
      : target_(target), report_(report), since_(Now()) {}

  std::optional<ServerClock> Run();

 private:
  void OnStep(ClientStep step) override;
  void OnOpened() override;
  void OnMessage(std::string_view message) override;
  void OnClosed(const ClientEnd& end) override;
  std::optional<std::string> NextMessage() override { return std::nullopt; }

  bool LookUp(std::string_view host);
  bool TryTcp(const ServerUrl& url);
  void Talk(LwsClient& client);
  // The step that was under way is over; the next begins.
  void Done(std::string found) { Say({std::move(found), ""}); }
  void Fail(std::string found, std::string fix) { Say({std::move(found), std::move(fix)}); }
  void Say(Found found);
  Found WhyEnded(const ClientEnd& end) const;

  const ProbeTarget& target_;
  DoctorReport& report_;
  const char* step_ = "name";  // under way
  TimePoint since_;            // when it began
  ServerUrl url_;
  std::string address_;  // that answered
  bool is_over_ = false;
  std::optional<TimePoint> deadline_;  // of the Challenge, then of the close
  std::optional<ServerClock> clock_;
};

void RouteProbe::Say(Found found) {
  if (is_over_) return;
  DoctorStep step;
  step.step = step_;
  step.server = target_.server;
  if (target_.proxy) step.proxy = ShowProxy(*target_.proxy);
  step.is_ok = found.fix.empty();
  step.took = Now() - since_;
  step.found = std::move(found.what);
  step.fix = std::move(found.fix);
  is_over_ = !step.is_ok;
  report_.Add(std::move(step));
  since_ = Now();
}

// False: unknown, and there is no address to go on with.
bool RouteProbe::LookUp(std::string_view host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found);
  if (error != 0) {
    std::string what = std::string(::gai_strerror(error));
    if (!target_.last_address.empty()) {
      what += "; the agent then dials " + target_.last_address + ", where it was last";
    }
    Fail(std::move(what), "Look at the resolver (/etc/resolv.conf), and at the name in the URL.");
    address_ = target_.last_address;
    is_over_ = address_.empty();
    return !is_over_;
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, ::freeaddrinfo);
  std::string addresses;
  std::size_t count = 0;
  for (const addrinfo* one = found; one != nullptr && count < kMaxAddresses; one = one->ai_next) {
    char text[INET6_ADDRSTRLEN] = "";
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    addresses += (count++ == 0 ? "" : " ") + std::string(text);
  }
  Done(addresses);
  address_ = host;
  return true;
}

bool RouteProbe::TryTcp(const ServerUrl& url) {
  step_ = "tcp";
  since_ = Now();
  const auto connected = OpenTcp(address_, url.port, target_.patience);
  if (!connected.ok()) {
    Fail(connected.error().message,
         "Refused: nothing listens there (is holdfastd running, is the port right?). In silence: a "
         "firewall on the way. Behind a proxy: --proxy.");
    return false;
  }
  const UniqueFd fd(connected.value());
  Done("connected to port " + std::to_string(url.port));
  return true;
}

std::optional<ServerClock> RouteProbe::Run() {
  auto parsed = ParseServerUrl(target_.server);
  if (!parsed.ok()) {
    Fail(parsed.error().message, "The bundle is wrong: enrol with another.");
    return std::nullopt;
  }
  url_ = std::move(parsed).value();
  if (!target_.proxy && (!LookUp(url_.host) || !TryTcp(url_))) return std::nullopt;
  LwsClient::Options options;
  options.ca_pem = target_.ca_pem;
  options.max_message_bytes = link::kMaxGreetingBytes;
  options.handshake_timeout = target_.patience;
  step_ = target_.proxy ? "proxy" : url_.tls ? "tls" : "upgrade";
  since_ = Now();
  auto client = LwsClient::Create(options);
  if (!client.ok()) {
    Fail(client.error().message, "The bundle is wrong: enrol with another.");
    return std::nullopt;
  }
  Talk(*client.value());
  return clock_;
}

void RouteProbe::Talk(LwsClient& client) {
  LwsClientTarget to{target_.server, link::kPath, link::kSubprotocol, ""};
  to.proxy = target_.proxy;
  to.last_address = target_.last_address;
  auto connection = client.Connect(to, *this);
  if (!connection.ok()) return Fail(connection.error().message, "Look at the bundle.");
  bool is_closing = false;
  // The client's own deadline ends what comes before the Challenge.
  while (!is_over_ && (!deadline_ || Now() < *deadline_)) {
    client.Service(std::chrono::milliseconds(200));
    if (clock_ && !is_closing) {
      is_closing = true;
      connection.value()->Close(kNormalClosure);
      deadline_ = Now() + std::chrono::seconds(1);
    }
  }
  if (!is_closing) Fail("no answer in time", "Look at the server's log; is control running?");
}

void RouteProbe::OnStep(ClientStep step) {
  if (step == ClientStep::kTunnelled) {
    Done("it opened the tunnel");
    step_ = url_.tls ? "tls" : "upgrade";
  } else if (url_.tls) {
    Done("the certificate is the fleet's, and of this host");
    step_ = "upgrade";
  }
}

void RouteProbe::OnOpened() {
  Done("WebSocket");
  step_ = "challenge";
  deadline_ = Now() + target_.patience;
}

void RouteProbe::OnMessage(std::string_view message) {
  if (clock_ || is_over_) return;
  const auto decoded = link::DecodeMessage(message, link::Direction::kDown);
  if (!decoded.ok() || decoded.value().frames_size() == 0 ||
      !decoded.value().frames(0).has_challenge()) {
    return Fail("the first message is no Challenge", "It is no Holdfast gateway, or a faulty one.");
  }
  const auto& challenge = decoded.value().frames(0).challenge();
  if (challenge.protocol_version() != kProtocolVersion) {
    return Fail("it speaks version " + std::to_string(challenge.protocol_version()),
                "Upgrade the older side.");
  }
  if (challenge.server_name() != url_.host) {
    return Fail("it serves under the name " + challenge.server_name(),
                "Compare the bundle's servers with fleet.servers in holdfastd.toml.");
  }
  Done("from " + challenge.server_name());
  clock_ = ServerClock{challenge.server_time_ms(), ReadClocks().wall.get()};
}

Found RouteProbe::WhyEnded(const ClientEnd& end) const {
  const std::string_view step = step_;
  if (end.why == ClientClose::kUntrusted) return {end.detail, CertificateFix(end.certificate)};
  if (end.why == ClientClose::kProxyRefused) {
    return {end.detail,
            "407: user or password in --proxy is wrong. Otherwise the proxy must be "
            "allowed to connect to this host and port."};
  }
  if (step == "proxy") return {end.detail, "Look at --proxy: host, port; and whether it runs."};
  if (step == "tls") {
    return {end.detail,
            "It does not speak TLS 1.2 there, or somebody cuts it: try wss:// or ws:// "
            "as the server has it, and look at what lies between."};
  }
  if (ReasonOf(end) == pb::CLOSE_REASON_TRY_LATER) return {end.detail, "It is busy: try later."};
  if (ReasonOf(end) == pb::CLOSE_REASON_NOT_A_LINK) {
    return {end.detail, "It is a Holdfast server, but not its port for agents."};
  }
  if (step == "upgrade") {
    return {end.detail,
            "Something on the way does not let WebSocket through, or no Holdfast is "
            "there: pass TCP through, or forward Upgrade; or use another --proxy."};
  }
  return {end.detail.empty() ? "the server closed" : end.detail, "Look at the server's log."};
}

void RouteProbe::OnClosed(const ClientEnd& end) {
  if (!clock_) Say(WhyEnded(end));
  is_over_ = true;
}

}  // namespace

std::optional<ServerClock> ProbeRoute(const ProbeTarget& target, DoctorReport& report) {
  return RouteProbe(target, report).Run();
}

}  // namespace holdfast::agent
