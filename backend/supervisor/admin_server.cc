#include "backend/supervisor/admin_server.h"

#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace holdfast::backend {
namespace {

constexpr std::size_t kMaxConnections = 32;
constexpr std::size_t kMaxRequestBytes = 4096;
constexpr double kSeconds = 5.0;

std::string Http(int status, std::string_view reason, std::string_view type,
                 std::string_view body) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
  out += reason;
  out += "\r\nContent-Type: ";
  out += type;
  out += "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  out += body;
  return out;
}

}  // namespace

struct AdminServer::Connection {
  AdminServer* server;
  UniqueFd fd;
  ev_io io{};
  ev_timer deadline{};
  std::string request;
  std::string answer;  // what is left to send; empty while the request is incomplete
  std::list<Connection>::iterator self;
};

Result<std::unique_ptr<AdminServer>> AdminServer::Open(struct ev_loop* loop,
                                                       const ListenAddress& address,
                                                       AdminSource& source) {
  std::unique_ptr<AdminServer> server(new AdminServer(loop, source));
  HF_ASSIGN_OR_RETURN(server->listener_, Listener::Open(loop, address, *server));
  server->listener_->SetAccepting(true);
  return server;
}

AdminServer::AdminServer(struct ev_loop* loop, AdminSource& source)
    : loop_(loop), source_(source) {}

AdminServer::~AdminServer() {
  while (!connections_.empty()) Close(connections_.front());
}

void AdminServer::OnAcceptable(Listener& listener) {
  auto accepted = listener.Accept();
  if (!accepted) return;
  Connection& connection = connections_.emplace_back();
  connection.server = this;
  connection.self = std::prev(connections_.end());
  connection.fd = std::move(accepted->fd);
  ev_io_init(
      &connection.io,
      [](struct ev_loop*, ev_io* io, int) {
        auto* const here = static_cast<Connection*>(io->data);
        here->server->OnReady(*here);
      },
      connection.fd.get(), EV_READ);
  connection.io.data = &connection;
  ev_io_start(loop_, &connection.io);
  ev_timer_init(
      &connection.deadline,
      [](struct ev_loop*, ev_timer* timer, int) {
        auto* const here = static_cast<Connection*>(timer->data);
        here->server->Close(*here);
      },
      kSeconds, 0.0);
  connection.deadline.data = &connection;
  ev_timer_start(loop_, &connection.deadline);
  if (connections_.size() >= kMaxConnections) listener.SetAccepting(false);
}

void AdminServer::Close(Connection& connection) {
  ev_io_stop(loop_, &connection.io);
  ev_timer_stop(loop_, &connection.deadline);
  connections_.erase(connection.self);
  listener_->SetAccepting(true);
}

bool AdminServer::Read(Connection& connection) {
  std::array<char, kMaxRequestBytes> buffer;
  const ssize_t got = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) return false;
  connection.request.append(buffer.data(), static_cast<std::size_t>(got));
  if (connection.request.size() > kMaxRequestBytes) return false;
  if (connection.request.find("\r\n\r\n") == std::string::npos) return true;
  connection.answer = Answer(connection.request);
  ev_io_stop(loop_, &connection.io);
  ev_io_set(&connection.io, connection.fd.get(), EV_WRITE);
  ev_io_start(loop_, &connection.io);
  return true;
}

void AdminServer::OnReady(Connection& connection) {
  if (connection.answer.empty()) {
    if (!Read(connection)) Close(connection);
    return;
  }
  const ssize_t sent =
      ::send(connection.fd.get(), connection.answer.data(), connection.answer.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno == EAGAIN) return;
  if (sent <= 0) return Close(connection);
  connection.answer.erase(0, static_cast<std::size_t>(sent));
  if (connection.answer.empty()) Close(connection);
}

std::string AdminServer::Answer(std::string_view request) {
  const std::string_view line = request.substr(0, request.find("\r\n"));
  if (line.starts_with("GET /healthz ")) {
    const AdminAnswer health = source_.Health();
    return Http(health.status, health.status == 200 ? "OK" : "Service Unavailable",
                "text/plain; charset=utf-8", health.body);
  }
  if (line.starts_with("GET /metrics ")) {
    return Http(200, "OK", "text/plain; version=0.0.4; charset=utf-8", source_.Metrics().body);
  }
  return Http(404, "Not Found", "text/plain; charset=utf-8",
              "there is /healthz and /metrics here\n");
}

}  // namespace holdfast::backend
