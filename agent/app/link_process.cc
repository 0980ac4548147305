#include "agent/app/link_process.h"

#include <utility>

#include <malloc.h>

#include "agent/adapters/linux/machine.h"
#include "agent/adapters/linux/program_pages.h"
#include "agent/app/link_routes.h"
#include "agent/app/log.h"
#include "agent/app/look_up.h"
#include "agent/core/next_step.h"
#include "agent/core/server_frames.h"
#include "common/adapters/lws/close_reason.h"
#include "common/link/codec.h"
#include "common/link/limits.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::link::v1;

constexpr std::uint16_t kNormalClosure = 1000;  // RFC 6455, 7.4.1
// Messages from here on leave so much memory behind that it is worth giving back.
constexpr std::size_t kLargeBytes = std::size_t{32} * 1024;
// With nothing due the loop still comes round once in a while; an hour costs nothing.
constexpr Duration kLongestWait = std::chrono::hours(1);

// Counts what the machine slept: clock_ ends the wait on waking.
TimePoint Now() { return ReadClocks().now; }

std::uint32_t U32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[at + i])) << (8 * i);
  }
  return value;
}

std::string ReasonAndDetail(CloseReason reason, std::string_view detail) {
  const auto value = static_cast<unsigned>(reason);
  std::string out;
  out.push_back(static_cast<char>(value & 0xFF));
  out.push_back(static_cast<char>(value >> 8));
  out.append(detail.substr(0, link::kMaxDetailBytes));
  return out;
}

bool IsOrderly(CloseReason reason) {
  return reason == pb::CLOSE_REASON_GOING_AWAY || reason == pb::CLOSE_REASON_AGENT_STOPPING;
}

Dialer::Options WithRoutes(Dialer::Options options, std::size_t routes) {
  options.servers = routes;
  return options;
}

}  // namespace

LinkProcess::LinkProcess(Options options, int warden_fd, LwsClient& client, WardenPipe& pipe)
    : servers_(std::move(options.servers)),
      proxy_(std::move(options.proxy)),
      last_addresses_(std::move(options.last_addresses)),
      last_proxy_address_(std::move(options.last_proxy_address)),
      warden_fd_(warden_fd),
      client_(client),
      pipe_(pipe),
      dialer_(WithRoutes(options.dialer, servers_.size() * (proxy_ ? 2 : 1)), options.seed, Now()) {
  last_addresses_.resize(servers_.size());
  const auto on_readable = [](void* user) { static_cast<LinkProcess*>(user)->OnWardenReadable(); };
  const Status watched = client_.WatchReadable(warden_fd_, on_readable, this);
  if (!watched.ok()) Exit(watched.error());
  const auto on_clock = [](void* user) { static_cast<LinkProcess*>(user)->OnClockReadable(); };
  if (clock_.fd() < 0 || !client_.WatchReadable(clock_.fd(), on_clock, this).ok()) {
    WriteLogLine(LogLine(LogLevel::kWarn, "no_clock_watch"));
  }
  OnWardenReadable();  // what came along with the configuration
}

LinkProcess::~LinkProcess() {
  client_.UnwatchReadable(clock_.fd());
  client_.UnwatchReadable(warden_fd_);
}

void LinkProcess::OnTurn() {
  const TimePoint now = Now();
  NoticeDraining(now);
  dialer_.OnTick(now);
  if (const auto route = dialer_.TakeDial()) Dial(*route);
  if (dialer_.TakeBeat()) {
    beat_due_ = true;
    connection_->WantWrite();
  }
  if (const auto reason = dialer_.TakeHangUp()) {
    closing_ = reason;
    if (*reason == pb::CLOSE_REASON_PEER_SILENT) {
      connection_->Abort();
    } else {
      connection_->Close(kNormalClosure);
    }
  }
  if (exit_status_) return;
  const auto due = dialer_.NextDeadline();
  client_.Service(due ? std::clamp(*due - Now(), Duration::zero(), kLongestWait) : kLongestWait);
}

// A beat behind a large message on a slow path: the answer is not late while the message gets less. If it
// does not, TCP_USER_TIMEOUT and the answer's own time decide.
void LinkProcess::NoticeDraining(TimePoint now) {
  if (!dialer_.awaits_answer()) return;
  const std::size_t left = connection_->Undelivered();
  if (left > 0 && left < undelivered_) dialer_.OnDraining(now);
  undelivered_ = left;
}

void LinkProcess::OnClockReadable() {
  if (!clock_.TakeJump()) return;
  WriteLogLine(LogLine(LogLevel::kInfo, "clock_jumped"));
  dialer_.OnWake(Now());
}

void LinkProcess::Dial(std::size_t route) {
  server_ = proxy_ ? route / 2 : route;
  through_proxy_ = proxy_ && route % 2 == 1;
  LwsClientTarget target{servers_[server_], link::kPath, link::kSubprotocol, ""};
  if (through_proxy_) {
    target.proxy = proxy_;
  } else {
    target.last_address = last_addresses_[server_];
  }
  if (is_closed_in_) SayWhereTo();
  const auto parsed = ParseServerUrl(target.url);
  auto connection = parsed.ok() ? client_.Connect(target, *this)
                                : Result<LwsClientConnection*>(Error{parsed.error()});
  if (!connection.ok()) {
    ClientEnd end;
    end.detail = connection.error().message;
    Report(end);
    return;
  }
  connection_ = connection.value();
  host_ = parsed.value().host;
}

void LinkProcess::OnOpened() {
  dialer_.OnOpened(Now());
  is_open_ = true;
  ReportAddress();
  ToWarden(LinkMessageType::kOpened, host_);
}

// The rules around this machine know no names. The same look-up as the dial's, which follows.
void LinkProcess::SayWhereTo() {
  const auto server = ParseServerUrl(servers_[server_]);
  if (!server.ok()) return;
  std::string report = through_proxy_ ? std::string(kProxyName) : servers_[server_];
  for (const std::string& address : LookUp(through_proxy_ ? proxy_->host : server.value().host)) {
    report += " " + address;
  }
  ToWarden(LinkMessageType::kDialling, report);
}

// For the day on which the resolver does not answer, and on which this machine is isolated.
void LinkProcess::ReportAddress() {
  const std::string& address = connection_->peer_address();
  if (through_proxy_) {
    const bool is_news = address != proxy_->host && address != last_proxy_address_;
    if (address.empty() || !is_news) return;
    last_proxy_address_ = address;
    ToWarden(LinkMessageType::kReached, std::string(kProxyName) + " " + address);
  } else if (connection_->used_last_address()) {
    WriteLogLine(
        LogLine(LogLevel::kWarn, "name_unknown").Text("host", host_).Id("dialled", address));
  } else if (!address.empty() && address != last_addresses_[server_]) {
    last_addresses_[server_] = address;
    ToWarden(LinkMessageType::kReached, servers_[server_] + " " + address);
  }
}

void LinkProcess::OnMessage(std::string_view message) {
  if (!dialer_.is_connected()) return;  // we are hanging up
  const TimePoint now = Now();
  dialer_.OnHeard(now);
  const auto scan = ScanServerMessage(message);
  // What waited for the agent comes with the Welcome, or before warden has said what it makes of it.
  if (scan.ok() && scan.value().has_welcome) greeted_ = true;
  if (!greeted_ && message.size() > link::kMaxGreetingBytes) {
    dialer_.OnHangUp(pb::CLOSE_REASON_FRAME_TOO_LARGE);
    return;
  }
  if (!scan.ok()) {
    server_detail_ = scan.error().message;
    dialer_.OnHangUp(pb::CLOSE_REASON_BAD_FRAME);
    return;
  }
  if (scan.value().close) {
    server_detail_ = scan.value().close->detail;
    dialer_.OnServerClose(scan.value().close->reason, scan.value().close->retry_after);
  }
  if (scan.value().goaway) dialer_.OnGoaway(scan.value().goaway->window, now);
  if (scan.value().is_only_beats) {
    if (dialer_.is_idle()) GiveMemoryBack();
    return;
  }
  heard_server_ = true;
  ToWarden(LinkMessageType::kFromServer, message);
}

void LinkProcess::OnClosed(const ClientEnd& end) { Report(end); }

void LinkProcess::Report(const ClientEnd& end) {
  const CloseReason reason =
      dialer_.OnClosed(ReasonOf(end), std::chrono::seconds(end.retry_after_s), Now());
  const std::string detail = server_detail_.empty() ? end.detail : server_detail_;
  LogLine line(IsOrderly(reason) ? LogLevel::kInfo : LogLevel::kWarn,
               is_open_ ? "link_closed" : "dial_failed");
  line.Id("reason", link::ToString(reason)).Text("host", host_);
  if (through_proxy_) line.Text("proxy", ShowProxy(*proxy_));
  line.Text("detail", Untrusted(detail));
  if (const auto next = NextStep(reason); !next.empty()) line.Text("next", std::string(next));
  WriteLogLine(line);
  ToWarden(LinkMessageType::kClosed, ReasonAndDetail(reason, detail));
  connection_ = nullptr;
  to_server_.reset();
  closing_.reset();
  server_detail_.clear();
  is_open_ = heard_server_ = said_hello_ = greeted_ = beat_due_ = false;
  pipe_.Shrink();
  if (stopping_) exit_status_ = 0;
  OnWardenReadable();
}

std::optional<std::string> LinkProcess::NextMessage() {
  if (closing_) {
    link::LinkMessage last;
    last.add_frames()->mutable_close()->set_reason(*closing_);
    return link::EncodeMessage(last);
  }
  if (beat_due_) {
    beat_due_ = false;
    undelivered_ = connection_->Undelivered();
    dialer_.OnSpoke(Now());
    link::LinkMessage beat;
    beat.add_frames()->mutable_beat()->set_idle(dialer_.is_idle());
    return link::EncodeMessage(beat);
  }
  if (!to_server_) return std::nullopt;
  dialer_.OnSpoke(Now());
  std::optional<std::string> out = std::exchange(to_server_, std::nullopt);
  OnWardenReadable();  // the place is free again
  return out;
}

void LinkProcess::OnWardenReadable() {
  while (!to_server_ && !exit_status_) {
    auto message = pipe_.Read();
    if (!message.ok()) {
      Exit(message.error());
      return;
    }
    if (!message.value()) break;
    OnWardenMessage(*message.value());
  }
  client_.PauseReadable(warden_fd_, to_server_.has_value());
}

void LinkProcess::OnWardenMessage(const LinkMessageView& message) {
  const TimePoint now = Now();
  switch (message.type) {
    case LinkMessageType::kToServer: OnToServer(message.payload); return;
    case LinkMessageType::kBusy:
      if (message.payload.size() == 1) OnBusy(message.payload[0] != 0, now);
      return;
    case LinkMessageType::kHangUp: OnHangUpAsked(message.payload); return;
    case LinkMessageType::kClosedIn: is_closed_in_ = message.payload == "\1"; return;
    case LinkMessageType::kWelcomed:
      if (message.payload.size() != 8 || !said_hello_) return;
      dialer_.OnWelcomed(std::chrono::seconds(U32(message.payload, 0)),
                         std::chrono::seconds(U32(message.payload, 4)), now);
      GiveMemoryBack();  // what the handshake took
      WriteLogLine(LogLine(LogLevel::kDebug, "link_up").Text("host", host_));
      return;
    default: Exit(Error{Code::kInvalid, "warden: a message of unknown type"}); return;
  }
}

void LinkProcess::OnBusy(bool busy, TimePoint now) {
  dialer_.OnBusy(busy, now);
  if (!busy && has_grown_) GiveMemoryBack();
}

void LinkProcess::GiveMemoryBack() {
  has_grown_ = false;
  pipe_.Shrink();
  malloc_trim(0);
  LetGoOfProgramPages();
}

void LinkProcess::OnToServer(std::string_view message) {
  if (!dialer_.is_connected()) return;
  if (!said_hello_) {
    if (!heard_server_ || !BeginsWithHello(message)) return;  // for the connection before
    said_hello_ = true;
  }
  to_server_.emplace(message);
  has_grown_ = has_grown_ || message.size() >= kLargeBytes;
  connection_->WantWrite();
}

void LinkProcess::OnHangUpAsked(std::string_view payload) {
  if (payload.size() < 2) return;
  const int value = static_cast<std::uint8_t>(payload[0]) | static_cast<std::uint8_t>(payload[1])
                                                                << 8;
  const CloseReason reason = pb::CloseReason_IsValid(value) ? static_cast<CloseReason>(value)
                                                            : pb::CLOSE_REASON_UNSPECIFIED;
  stopping_ = stopping_ || reason == pb::CLOSE_REASON_AGENT_STOPPING;
  server_detail_ = std::string(payload.substr(2, link::kMaxDetailBytes));
  dialer_.OnHangUp(reason);
  if (stopping_ && connection_ == nullptr) exit_status_ = 0;
}

void LinkProcess::ToWarden(LinkMessageType type, std::string_view payload) {
  const Status written = pipe_.Write(type, payload);
  if (!written.ok()) Exit(written.error());
}

// A warden that is gone has ended or has let us go: that is the way of this process to end.
void LinkProcess::Exit(const Error& why) {
  if (exit_status_) return;
  exit_status_ = why.code == Code::kUnavailable ? 0 : 1;
  if (exit_status_ != 0) WriteLogLine(LogLine(LogLevel::kError, "link_exit").Err(why));
}

}  // namespace holdfast::agent
