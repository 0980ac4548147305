#include <algorithm>
#include <array>
#include <cstdio>

#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "tests/bench/seed/client/experiments.h"
#include "tests/bench/seed/client/process_cpu.h"

namespace holdfast::bench {
namespace {

constexpr std::int64_t kWarmUpUs = kSecondUs;

void Print(const nlohmann::ordered_json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

class PingPong final : private LinkSetDelegate {
 public:
  explicit PingPong(const Experiment& experiment)
      : experiment_(experiment), set_(experiment.links, *this) {}
  Status Run();

 private:
  void OnAnswer(std::size_t link, std::uint64_t c) override;
  void Ask(std::size_t link);
  Status TurnFor(std::int64_t us);

  struct Asked {
    std::uint32_t c = 0;
    std::int64_t at_us = 0;
  };
  const Experiment& experiment_;
  LinkSet set_;
  std::vector<Asked> asked_;
  std::vector<std::uint32_t> took_us_;
  bool measuring_ = false;
};

Status PingPong::Run() {
  const std::size_t clients = experiment_.clients.back();
  HF_ASSIGN_OR_RETURN(const double connect_s, ConnectUpTo(set_, clients));
  asked_.resize(clients);
  for (std::size_t link = 0; link < clients; ++link) Ask(link);
  HF_TRY(TurnFor(kWarmUpUs));
  std::int64_t server_ns = -CpuNanoseconds(experiment_.server_pids);
  std::int64_t client_ns = -CpuNanoseconds({0});
  const std::int64_t began_us = MonotonicUs();
  measuring_ = true;
  HF_TRY(TurnFor(std::int64_t{experiment_.seconds} * kSecondUs));
  measuring_ = false;
  const double took_s = static_cast<double>(MonotonicUs() - began_us) / 1e6;
  server_ns += CpuNanoseconds(experiment_.server_pids);
  client_ns += CpuNanoseconds({0});
  if (took_us_.empty()) return Error{Code::kUnavailable, "nothing was answered"};
  std::sort(took_us_.begin(), took_us_.end());
  const auto percentile_ms = [this](std::size_t percent) {
    return took_us_[(took_us_.size() - 1) * percent / 100] / 1000.0;
  };
  Print({{"clients", clients},
         {"seconds", took_s},
         {"messages", took_us_.size()},
         {"per_s", static_cast<double>(took_us_.size()) / took_s},
         {"p50_ms", percentile_ms(50)},
         {"p99_ms", percentile_ms(99)},
         {"connection_time_s", connect_s},
         {"reconnects", set_.reconnects()},
         {"server_cpu_s", static_cast<double>(server_ns) / 1e9},
         {"client_cpu_s", static_cast<double>(client_ns) / 1e9}});
  return Ok();
}

Status PingPong::TurnFor(std::int64_t us) {
  const std::int64_t end_us = MonotonicUs() + us;
  while (MonotonicUs() < end_us) HF_TRY(set_.Turn(10));
  return Ok();
}

void PingPong::Ask(std::size_t link) {
  Asked& asked = asked_[link];
  // Never 0: that is the greeting's.
  asked.c = asked.c % 1'000'000 + 1;
  asked.at_us = MonotonicUs();
  std::array<char, 32> text{};
  const int length = std::snprintf(text.data(), text.size(), "{\"c\":%u}", asked.c);
  std::string frame;
  AppendFrame(frame, Opcode::kText, {text.data(), static_cast<std::size_t>(length)},
              set_.NextMask());
  set_.Send(link, frame);
}

void PingPong::OnAnswer(std::size_t link, std::uint64_t c) {
  if (link >= asked_.size() || c != asked_[link].c) return;
  if (measuring_) {
    took_us_.push_back(static_cast<std::uint32_t>(MonotonicUs() - asked_[link].at_us));
  }
  Ask(link);
}

class Hold final : private LinkSetDelegate {
 public:
  explicit Hold(const Experiment& experiment)
      : experiment_(experiment), set_(experiment.links, *this) {}
  Status Run();

 private:
  void OnAnswer(std::size_t /*link*/, std::uint64_t c) override { answered_ += c == 1 ? 1 : 0; }

  const Experiment& experiment_;
  LinkSet set_;
  std::size_t answered_ = 0;
};

Status Hold::Run() {
  const std::size_t clients = experiment_.clients.back();
  HF_ASSIGN_OR_RETURN(const double connect_s, ConnectUpTo(set_, clients));
  for (std::size_t link = 0; link < clients; ++link) {
    std::string frame;
    AppendFrame(frame, Opcode::kText, R"({"c":1})", set_.NextMask());
    set_.Send(link, frame);
  }
  while (answered_ < clients) HF_TRY(set_.Turn(10));
  Print({{"held", clients}, {"connection_time_s", connect_s}, {"reconnects", set_.reconnects()}});
  pollfd input{STDIN_FILENO, POLLIN, 0};
  std::array<char, 64> ignored{};
  while (::poll(&input, 1, 0) == 0 || ::read(STDIN_FILENO, ignored.data(), ignored.size()) > 0) {
    HF_TRY(set_.Turn(100));
  }
  return set_.reconnects() == 0 ? Ok() : Status(Error{Code::kUnavailable, "links were lost"});
}

}  // namespace

Status RunPingPong(const Experiment& experiment) { return PingPong(experiment).Run(); }

Status RunHold(const Experiment& experiment) { return Hold(experiment).Run(); }

}  // namespace holdfast::bench
