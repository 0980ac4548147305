#include "backend/supervisor/order_socket.h"

#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>

namespace holdfast::backend {
namespace {

constexpr std::size_t kMaxClients = 8;
constexpr std::size_t kMaxWordBytes = 32;
constexpr double kWordSeconds = 5.0;  // for the word

}  // namespace

struct OrderSocket::Connection {
  OrderSocket* socket;
  std::uint64_t client;
  UniqueFd fd;
  std::string word;
  ev_io io{};
  ev_timer deadline{};
};

Result<std::unique_ptr<OrderSocket>> OrderSocket::Open(struct ev_loop* loop,
                                                       const std::string& path,
                                                       OrderDelegate& delegate) {
  std::unique_ptr<OrderSocket> socket(new OrderSocket(loop, delegate));
  HF_ASSIGN_OR_RETURN(socket->listener_, Listener::OpenUnix(loop, path, *socket));
  socket->listener_->SetAccepting(true);
  return socket;
}

OrderSocket::OrderSocket(struct ev_loop* loop, OrderDelegate& delegate)
    : loop_(loop), delegate_(delegate) {}

OrderSocket::~OrderSocket() {
  while (!connections_.empty()) Close(connections_.begin()->first);
}

void OrderSocket::OnAcceptable(Listener& listener) {
  auto accepted = listener.Accept();
  if (!accepted) return;
  auto owned = std::make_unique<Connection>();
  Connection& connection = *owned;
  connection.socket = this;
  connection.client = next_client_++;
  connection.fd = std::move(accepted->fd);
  ev_io_init(
      &connection.io,
      [](struct ev_loop*, ev_io* io, int) {
        auto* const here = static_cast<Connection*>(io->data);
        here->socket->OnReadable(here->client);
      },
      connection.fd.get(), EV_READ);
  connection.io.data = &connection;
  ev_io_start(loop_, &connection.io);
  ev_timer_init(
      &connection.deadline,
      [](struct ev_loop*, ev_timer* timer, int) {
        auto* const here = static_cast<Connection*>(timer->data);
        here->socket->Close(here->client);
      },
      kWordSeconds, 0.0);
  connection.deadline.data = &connection;
  ev_timer_start(loop_, &connection.deadline);
  connections_.emplace(connection.client, std::move(owned));
  if (connections_.size() >= kMaxClients) listener.SetAccepting(false);
}

void OrderSocket::OnReadable(std::uint64_t client) {
  Connection& connection = *connections_.at(client);
  std::array<char, kMaxWordBytes> buffer;
  const ssize_t got = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  // It says nothing after its word: this is its end, or it does not know us.
  if (got <= 0 || !ev_is_active(&connection.deadline)) return Lose(client);
  connection.word.append(buffer.data(), static_cast<std::size_t>(got));
  const std::size_t end = connection.word.find('\n');
  if (end == std::string::npos) {
    if (connection.word.size() >= kMaxWordBytes) Close(client);
    return;
  }
  ev_timer_stop(loop_, &connection.deadline);
  const std::string word = connection.word.substr(0, end);
  delegate_.OnOrder(client, word);
}

void OrderSocket::Say(std::uint64_t client, std::string_view text) {
  Send(client, "- " + std::string(text) + "\n");
}

void OrderSocket::End(std::uint64_t client, bool done, std::string_view text) {
  Send(client, (done ? "0 " : "1 ") + std::string(text) + "\n");
  Close(client);
}

void OrderSocket::Send(std::uint64_t client, const std::string& line) {
  const auto found = connections_.find(client);
  if (found == connections_.end()) return;
  const ssize_t sent =
      ::send(found->second->fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(line.size())) Lose(client);
}

void OrderSocket::Lose(std::uint64_t client) {
  Close(client);
  delegate_.OnClientGone(client);
}

void OrderSocket::Close(std::uint64_t client) {
  const auto found = connections_.find(client);
  if (found == connections_.end()) return;
  ev_io_stop(loop_, &found->second->io);
  ev_timer_stop(loop_, &found->second->deadline);
  connections_.erase(found);
  listener_->SetAccepting(true);
}

}  // namespace holdfast::backend
