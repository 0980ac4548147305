// RealWorld: redis-servers that a test starts: one alone, or a cluster of three masters.
//
// Of a cluster the first has the slot of our streams, and is the last that is asked for it; what the suite does to "the Redis"
// is done to that one.
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ev.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "backend/adapters/hiredis/redis_streams.h"
#include "backend/adapters/linux/spawn.h"
#include "backend/adapters/linux/unique_fd.h"
#include "backend/core/redis_place.h"
#include "tests/conformance/backend/stream_transport_suite.h"

namespace holdfast::testing {

// A directory for sockets: short, because a socket's path has 108 bytes at most.
inline std::string NewDirectory() {
  std::string path = "/tmp/holdfast-redis-XXXXXX";
  EXPECT_NE(::mkdtemp(path.data()), nullptr);
  return path;
}

inline void TurnLoop(struct ev_loop* loop) {
  ev_timer soon;
  ev_timer_init(
      &soon, [](struct ev_loop*, ev_timer*, int) {}, 0.005, 0.0);
  ev_timer_start(loop, &soon);
  ev_run(loop, EVRUN_ONCE);
  ev_timer_stop(loop, &soon);
}

// Bound to a port of 127.0.0.1 that was free.
inline backend::UniqueFd BindFreePort(int* port) {
  backend::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
  *port = ntohs(at.sin_port);
  return fd;
}

class RealWorld final : public StreamWorld {
 public:
  enum class Kind : std::uint8_t { kAlone, kCluster };
  static constexpr std::size_t kMasters = 3;

  explicit RealWorld(Kind kind = Kind::kAlone)
      : kind_(kind),
        loop_(ev_loop_new(EVFLAG_AUTO)),
        nodes_(kind == Kind::kCluster ? kMasters : 1) {
    if (kind == Kind::kCluster) FindPorts();
    for (Node& node : nodes_) {
      node.directory = NewDirectory();
      StartServer(node);
    }
    if (kind == Kind::kCluster) FormCluster();
  }
  ~RealWorld() override {
    for (Node& node : nodes_) {
      StopServer(node);
      std::filesystem::remove_all(node.directory);
    }
    ev_loop_destroy(loop_);
  }
  std::unique_ptr<backend::StreamTransport> Make(
      std::string own_stream, backend::StreamTransportDelegate& delegate) override {
    return MakeAs({}, std::move(own_stream), delegate);
  }
  std::unique_ptr<backend::RedisStreams> MakeAs(backend::RedisLogin login, std::string own_stream,
                                                backend::StreamTransportDelegate& delegate,
                                                int stream_life_s = 60) {
    return std::make_unique<backend::RedisStreams>(
        loop_,
        backend::RedisStreams::Options{url(), std::move(own_stream), nullptr, std::move(login),
                                       stream_life_s},
        delegate);
  }
  std::string url() const {
    if (kind_ == Kind::kAlone) return "unix://" + socket(0);
    std::string out;
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      out += (out.empty() ? "cluster://127.0.0.1:" : ",127.0.0.1:") + std::to_string(port(i));
    }
    return out;
  }
  int port(std::size_t node) const { return nodes_[node].port; }
  std::string id(std::size_t node) { return Ask(node, "CLUSTER MYID"); }

  void Turn() override { TurnLoop(loop_); }
  // At most 20 s.
  bool Until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (; !done(); Turn()) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }
  void Flush() override { Command("FLUSHALL"); }
  void Restart() override {
    StopServer(nodes_[0]);
    StartServer(nodes_[0]);
  }
  void MakeWrongType(const std::string& key) override {
    Command(("SET " + KeyOf(key) + " x").c_str());
  }
  void SetRefusing(bool on) override {
    Command(on ? "CONFIG SET maxmemory 1" : "CONFIG SET maxmemory 0");
  }
  void SetFrozen(bool on) override { ::kill(nodes_[0].server, on ? SIGSTOP : SIGCONT); }
  // What a stream is called here.
  std::string KeyOf(const std::string& stream) const {
    return (kind_ == Kind::kAlone ? "" : std::string(backend::kClusterTag)) + stream;
  }
  bool Exists(const std::string& key) {
    redisContext* const context = redisConnectUnix(socket(0).c_str());
    auto* const reply =
        static_cast<redisReply*>(redisCommand(context, "EXISTS %b", key.data(), key.size()));
    const bool exists = reply != nullptr && reply->integer == 1;
    freeReplyObject(reply);
    redisFree(context);
    return exists;
  }
  void Command(const char* text) { CommandAt(0, text); }
  void CommandAt(std::size_t node, const char* text) {
    bool is_error = true;
    const std::string said = Ask(node, text, &is_error);
    EXPECT_FALSE(is_error) << text << ": " << said;
  }
  // What it says as a text, or a number as one.
  std::string Ask(std::size_t node, const char* text, bool* is_error = nullptr) {
    redisContext* const context = redisConnectUnix(socket(node).c_str());
    auto* const reply = static_cast<redisReply*>(redisCommand(context, text));
    std::string said = "no answer";
    if (reply != nullptr) {
      said = reply->str == nullptr ? std::to_string(reply->integer)
                                   : std::string(reply->str, reply->len);
    }
    if (is_error != nullptr) *is_error = reply == nullptr || reply->type == REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    redisFree(context);
    return said;
  }

 private:
  struct Node {
    std::string directory;
    int port = 0;  // 0: its socket only
    int bus = 0;
    pid_t server = -1;
  };
  std::string socket(std::size_t node) const { return nodes_[node].directory + "/redis.sock"; }

  // All at once, so that they differ.
  void FindPorts() {
    std::vector<backend::UniqueFd> bound;
    for (Node& node : nodes_) {
      bound.push_back(BindFreePort(&node.port));
      bound.push_back(BindFreePort(&node.bus));
    }
  }
  void StartServer(Node& node) {
    backend::SpawnOptions options;
    options.program = "redis-server";
    options.argv = {"redis-server",
                    "--port",
                    std::to_string(node.port),
                    "--unixsocket",
                    node.directory + "/redis.sock",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--dir",
                    node.directory,
                    "--maxmemory-policy",
                    "noeviction"};
    if (node.port != 0) {
      const std::array<std::string, 6> more{"--bind", "127.0.0.1",      "--cluster-enabled",
                                            "yes",    "--cluster-port", std::to_string(node.bus)};
      options.argv.insert(options.argv.end(), more.begin(), more.end());
    }
    options.output_file = node.directory + "/log";
    node.server = backend::Spawn(options).value();
    const auto is_up = [&] {
      redisContext* const context = redisConnectUnix((node.directory + "/redis.sock").c_str());
      const bool up = context->err == 0;
      redisFree(context);
      return up;
    };
    EXPECT_TRUE(Until(is_up)) << "redis-server does not come up; see " << node.directory;
  }
  // The first has the slots around ours.
  void FormCluster() {
    static_assert(kMasters == 3);
    CommandAt(0, "CLUSTER ADDSLOTSRANGE 0 5999");
    CommandAt(1, "CLUSTER ADDSLOTSRANGE 6000 10999");
    CommandAt(2, "CLUSTER ADDSLOTSRANGE 11000 16383");
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      // Else the same epoch for all, which they would have to settle first.
      CommandAt(i, ("CLUSTER SET-CONFIG-EPOCH " + std::to_string(i + 1)).c_str());
    }
    for (std::size_t i = 1; i < nodes_.size(); ++i) {
      CommandAt(0, ("CLUSTER MEET 127.0.0.1 " + std::to_string(port(i)) + " " +
                    std::to_string(nodes_[i].bus))
                       .c_str());
    }
    const auto is_whole = [&] {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const std::string said = Ask(i, "CLUSTER INFO");
        if (said.find("cluster_state:ok") == said.npos) return false;
        if (said.find("cluster_slots_assigned:16384") == said.npos) return false;
      }
      return true;
    };
    EXPECT_TRUE(Until(is_whole)) << "the cluster does not serve; see " << nodes_[0].directory;
  }
  static void StopServer(const Node& node) {
    ::kill(node.server, SIGKILL);
    ::waitpid(node.server, nullptr, 0);
  }

  const Kind kind_;
  struct ev_loop* const loop_;
  std::vector<Node> nodes_;
};

}  // namespace holdfast::testing
